package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"
	"trpc.group/trpc-go/trpc-go"
	"trpc.group/trpc-go/trpc-go/codec"
	"trpc.group/trpc-go/trpc-go/errs"
	"trpc.group/trpc-go/trpc-go/server"
	"trpc.group/trpc-go/trpc-go/stream"
)

type text = wrapperspb.StringValue

// unary makes a method of a function that takes and gives texts.
func unary(name string, work func(ctx context.Context, request string) (string, error)) server.Method {
	handle := func(_ interface{}, ctx context.Context, f server.FilterFunc) (interface{}, error) {
		if codec.Message(ctx).SerializationType() == codec.SerializationTypeNoop {
			request := &codec.Body{}
			if _, err := f(request); err != nil {
				return nil, err
			}
			answer, err := work(ctx, string(request.Data))
			return &codec.Body{Data: []byte(answer)}, err
		}
		request := &text{}
		if _, err := f(request); err != nil {
			return nil, err
		}
		answer, err := work(ctx, request.Value)
		return &text{Value: answer}, err
	}
	return server.Method{Name: "/" + service + "/" + name, Func: handle}
}

func streaming(name string, work func(server.Stream) error) server.StreamDesc {
	return server.StreamDesc{
		StreamName:    "/" + service + "/" + name,
		Handler:       func(_ interface{}, s server.Stream) error { return work(s) },
		ServerStreams: true,
		ClientStreams: true,
	}
}

func methods() []server.Method {
	return []server.Method{
		unary("Hello", func(_ context.Context, name string) (string, error) { return "Hello " + name, nil }),
		unary("Echo", func(_ context.Context, body string) (string, error) { return body, nil }),
		// What the server got of trans_info, and one entry more on the way back.
		unary("Metadata", func(ctx context.Context, key string) (string, error) {
			trpc.SetMetaData(ctx, "app-served-by", []byte("trpc-go"))
			return string(trpc.GetMetaData(ctx, key)), nil
		}),
		unary("Attached", func(ctx context.Context, _ string) (string, error) {
			attached := server.GetAttachment(codec.Message(ctx))
			data, err := io.ReadAll(attached.Request())
			if err != nil {
				return "", err
			}
			attached.SetResponse(bytes.NewReader(bytes.ToUpper(data)))
			return fmt.Sprint(len(data)), nil
		}),
		unary("Refuse", func(context.Context, string) (string, error) {
			return "", errs.New(10042, "no such order: 世界")
		}),
		unary("Overload", func(context.Context, string) (string, error) {
			return "", errs.NewFrameError(errs.RetServerOverload, "too much to do")
		}),
		unary("Fail", func(context.Context, string) (string, error) { return "", errors.New("an error of the program's own") }),
		unary("Slow", func(context.Context, string) (string, error) {
			time.Sleep(400 * time.Millisecond)
			return "late", nil
		}),
		unary("Who", func(ctx context.Context, _ string) (string, error) {
			msg := codec.Message(ctx)
			return msg.CallerServiceName() + " " + msg.ServerRPCName(), nil
		}),
	}
}

func streams() []server.StreamDesc {
	return []server.StreamDesc{
		// Client streaming: one answer to all.
		streaming("Collect", func(s server.Stream) error {
			var all []string
			for {
				one := &text{}
				err := s.RecvMsg(one)
				if err == io.EOF {
					return s.SendMsg(&text{Value: strings.Join(all, ",")})
				}
				if err != nil {
					return err
				}
				all = append(all, one.Value)
			}
		}),
		// Server streaming: many answers to one.
		streaming("Count", func(s server.Stream) error {
			one := &text{}
			if err := s.RecvMsg(one); err != nil {
				return err
			}
			var count int
			if _, err := fmt.Sscan(one.Value, &count); err != nil {
				return errs.NewFrameError(errs.RetServerValidateFail, "not a number: "+one.Value)
			}
			for number := 0; number < count; number++ {
				if err := s.SendMsg(&text{Value: fmt.Sprint(number)}); err != nil {
					return err
				}
			}
			return nil
		}),
		// Both at once.
		streaming("Chat", func(s server.Stream) error {
			for {
				one := &text{}
				err := s.RecvMsg(one)
				if err == io.EOF {
					return nil
				}
				if err != nil {
					return err
				}
				if len(one.Value) > 1000 {
					one.Value = fmt.Sprint(len(one.Value))
				}
				if err := s.SendMsg(&text{Value: "re: " + one.Value}); err != nil {
					return err
				}
			}
		}),
		// What the server got of trans_info.
		streaming("Tell", func(s server.Stream) error {
			one := &text{}
			if err := s.RecvMsg(one); err != nil {
				return err
			}
			return s.SendMsg(&text{Value: string(trpc.GetMetaData(s.Context(), one.Value))})
		}),
		streaming("Reset", func(s server.Stream) error {
			if err := s.RecvMsg(&text{}); err != nil {
				return err
			}
			return errs.NewFrameError(errs.RetServerSystemErr, "the stream is reset")
		}),
		streaming("Break", func(s server.Stream) error {
			if err := s.RecvMsg(&text{}); err != nil {
				return err
			}
			return errors.New("an error of the program's own")
		}),
	}
}

func serve(address string) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fail(err.Error())
	}
	served := server.New(
		server.WithListener(listener),
		server.WithAddress(address),
		server.WithNetwork("tcp"),
		server.WithProtocol("trpc"),
		server.WithServiceName(service),
		server.WithServerAsync(true),
	)
	description := &server.ServiceDesc{
		ServiceName:  service,
		HandlerType:  (*interface{})(nil),
		Methods:      methods(),
		Streams:      streams(),
		StreamHandle: stream.NewStreamDispatcher(),
	}
	if err := served.Register(description, struct{}{}); err != nil {
		fail(err.Error())
	}
	go func() {
		if err := served.Serve(); err != nil {
			fail(err.Error())
		}
	}()
	// It listens already; what comes before it serves waits in the queue.
	fmt.Println("READY")
}
