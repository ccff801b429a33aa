package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/apache/thrift/lib/go/thrift"

	"thriftpeer/demo"
)

// servedBy is the info header that a THeader server adds to its answers.
const servedBy = "x-served-by"

type greeter struct{}

func (greeter) Ping(context.Context) error { return nil }

func (greeter) SayHello(_ context.Context, name string) (string, error) {
	return "Hello " + name, nil
}

func (greeter) Add(_ context.Context, a int32, b int64) (int64, error) {
	return int64(a) + b, nil
}

func (greeter) Echo(_ context.Context, value *demo.Everything) (*demo.Everything, error) {
	return value, nil
}

func (greeter) Notify(context.Context, string) error { return nil }

func (greeter) Fail(_ context.Context, code int32) (string, error) {
	if code != 0 {
		return "", &demo.DemoError{Code: code, Message: fmt.Sprintf("échec %d", code)}
	}
	return "no failure", nil
}

func (greeter) Crash(_ context.Context, why string) (string, error) {
	return "", errors.New(why)
}

func (greeter) Measure(_ context.Context, data []byte) (int32, error) {
	return int32(len(data)), nil
}

func (greeter) Headers(ctx context.Context) (map[string]string, error) {
	headers := map[string]string{}
	for _, key := range thrift.GetReadHeaderList(ctx) {
		if value, ok := thrift.GetHeader(ctx, key); ok {
			headers[key] = value
		}
	}
	return headers, nil
}

type counter struct {
	mutex sync.Mutex
	total int32
}

func (c *counter) Increment(_ context.Context, by int32) (int32, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.total += by
	return c.total, nil
}

// sign adds the info header to every answer; without THeader it does nothing.
func sign(_ string, next thrift.TProcessorFunction) thrift.TProcessorFunction {
	return thrift.WrappedTProcessorFunction{
		Wrapped: func(ctx context.Context, seqID int32, in, out thrift.TProtocol) (bool, thrift.TException) {
			if helper, ok := thrift.GetResponseHelper(ctx); ok {
				helper.SetHeader(servedBy, "apache-go")
			}
			return next.Process(ctx, seqID, in, out)
		},
	}
}

func serve(o *options) error {
	socket, err := thrift.NewTServerSocket(o.address())
	if err != nil {
		return err
	}
	processor := thrift.WrapProcessor(demo.NewGreeterProcessor(greeter{}), sign)
	if o.multiplexed {
		multiplexed := thrift.NewTMultiplexedProcessor()
		multiplexed.RegisterProcessor("Greeter", processor)
		multiplexed.RegisterProcessor("Counter", demo.NewCounterProcessor(&counter{}))
		processor = multiplexed
	}
	if err := socket.Listen(); err != nil {
		return err
	}
	fmt.Println("READY")
	return thrift.NewTSimpleServer4(processor, socket, o.transportFactory(), o.protocolFactory()).Serve()
}
