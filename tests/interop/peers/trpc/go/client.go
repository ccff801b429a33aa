package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"trpc.group/trpc-go/trpc-go/client"
	"trpc.group/trpc-go/trpc-go/codec"
	"trpc.group/trpc-go/trpc-go/errs"
	"trpc.group/trpc-go/trpc-go/pool/multiplexed"
	"trpc.group/trpc-go/trpc-go/stream"
	trpcpb "trpc.group/trpc/trpc-protocol/pb/go/trpc"
)

// told is what the client says of a call or a stream; README.md describes the keys.
type told map[string]interface{}

var output sync.Mutex

func tell(what told) {
	line, err := json.Marshal(what)
	if err != nil {
		fail(err.Error())
	}
	output.Lock()
	defer output.Unlock()
	fmt.Fprintln(os.Stdout, string(line))
}

type peer struct {
	options []client.Option
}

// one is a call to be made.
type one struct {
	method        string
	request       string
	serialization int
	compression   int
	info          map[string]string
	attachment    []byte
	timeout       time.Duration
	oneway        bool
	dyeing        string
}

func texts(info map[string][]byte) map[string]string {
	result := map[string]string{}
	for key, value := range info {
		result[key] = string(value)
	}
	return result
}

// short keeps long texts out of the output.
func short(text string) string {
	if len(text) > 100 {
		return fmt.Sprintf("%d bytes", len(text))
	}
	return text
}

// outcome says how a call or a stream ended: the client's own errors, the server's framework, its function, or well.
func outcome(err error, what told) {
	what["ok"] = err == nil
	what["outcome"] = "value"
	if err == nil {
		return
	}
	what["outcome"] = "client"
	var known *errs.Error
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if found, ok := cause.(*errs.Error); ok {
			known = found
		}
	}
	if known == nil {
		what["message"] = err.Error()
		return
	}
	what["code"], what["message"] = known.Code, known.Msg
	switch {
	case known.Code == errs.RetClientTimeout:
		what["outcome"] = "timeout"
		delete(what, "message") // It tells the time that was taken.
	case known.Type == errs.ErrorTypeCalleeFramework:
		what["outcome"] = "framework"
	case known.Type == errs.ErrorTypeBusiness:
		what["outcome"] = "function"
	}
}

func (p *peer) call(o one) told {
	ctx, msg := codec.WithCloneMessage(context.Background())
	defer codec.PutBackMessage(msg)
	msg.WithClientRPCName("/" + service + "/" + o.method)
	msg.WithCalleeServiceName(service)
	msg.WithCallerServiceName(caller)
	msg.WithSerializationType(o.serialization)
	if o.dyeing != "" {
		msg.WithDyeing(true)
		msg.WithDyeingKey(o.dyeing)
	}
	sent, received := &trpcpb.RequestProtocol{}, &trpcpb.ResponseProtocol{}
	timeout := o.timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	options := append([]client.Option{}, p.options...)
	options = append(options, client.WithReqHead(sent), client.WithRspHead(received), client.WithTimeout(timeout))
	if o.compression != 0 {
		options = append(options, client.WithCompressType(o.compression))
	}
	for key, value := range o.info {
		options = append(options, client.WithMetaData(key, []byte(value)))
	}
	var attachment *client.Attachment
	if o.attachment != nil {
		attachment = client.NewAttachment(bytes.NewReader(o.attachment))
		options = append(options, client.WithAttachment(attachment))
	}
	if o.oneway {
		options = append(options, client.WithSendOnly())
	}
	var request, answer interface{} = &text{Value: o.request}, &text{}
	if o.serialization == codec.SerializationTypeNoop {
		request, answer = &codec.Body{Data: []byte(o.request)}, &codec.Body{}
	}
	err := client.DefaultClient.Invoke(ctx, request, answer, options...)
	what := told{
		"kind": "call", "method": o.method, "func": string(sent.Func),
		"caller": string(sent.Caller), "callee": string(sent.Callee), "request_id": sent.RequestId,
		"call_type": sent.CallType, "timeout": sent.Timeout, "message_type": sent.MessageType,
		"content_type": sent.ContentType, "content_encoding": sent.ContentEncoding,
		"attachment_size": sent.AttachmentSize, "trans_info": texts(sent.TransInfo), "request": short(o.request),
	}
	outcome(err, what)
	if o.oneway && err == nil {
		what["outcome"] = "oneway"
	}
	if what["outcome"] != "oneway" && what["outcome"] != "timeout" && what["outcome"] != "client" {
		what["answer"] = told{
			"ret": received.Ret, "func_ret": received.FuncRet, "error_msg": string(received.ErrorMsg),
			"message_type": received.MessageType, "content_type": received.ContentType,
			"content_encoding": received.ContentEncoding, "attachment_size": received.AttachmentSize,
			"trans_info": texts(received.TransInfo),
		}
	}
	if err == nil && !o.oneway {
		switch answer := answer.(type) {
		case *text:
			what["value"] = short(answer.Value)
		case *codec.Body:
			what["value"] = short(string(answer.Data))
		}
		if attachment != nil {
			data, err := io.ReadAll(attachment.Response())
			if err != nil {
				fail(err.Error())
			}
			what["attachment"] = string(data)
		}
	}
	return what
}

// script is a stream to be opened: what is sent, and whether the sending side is closed then.
type script struct {
	method  string
	send    []string
	info    map[string]string
	timeout time.Duration
	stay    bool
	json    bool
}

func (p *peer) stream(s script) told {
	ctx, msg := codec.WithCloneMessage(context.Background())
	timeout := s.timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	msg.WithCalleeServiceName(service)
	msg.WithCallerServiceName(caller)
	msg.WithSerializationType(codec.SerializationTypePB)
	if s.json {
		msg.WithSerializationType(codec.SerializationTypeJSON)
	}
	options := append([]client.Option{}, p.options...)
	options = append(options, client.WithTimeout(timeout))
	for key, value := range s.info {
		options = append(options, client.WithMetaData(key, []byte(value)))
	}
	info := s.info
	if info == nil {
		info = map[string]string{}
	}
	sent := []string{}
	for _, value := range s.send {
		sent = append(sent, short(value))
	}
	method := "/" + service + "/" + s.method
	what := told{
		"kind": "stream", "method": s.method, "func": method, "caller": caller, "callee": service,
		"trans_info": info, "sent": sent, "received": []string{}, "content_type": msg.SerializationType(),
	}
	description := &client.ClientStreamDesc{StreamName: s.method, ClientStreams: true, ServerStreams: true}
	opened, err := stream.DefaultStreamClient.NewStream(ctx, description, method, options...)
	what["opened"], what["stream_id"] = err == nil, msg.StreamID()
	if err != nil {
		outcome(err, what)
		return what
	}
	for _, value := range s.send {
		if err := opened.SendMsg(&text{Value: value}); err != nil {
			outcome(err, what)
			return what
		}
	}
	if !s.stay {
		if err := opened.CloseSend(); err != nil {
			outcome(err, what)
			return what
		}
	}
	received := []string{}
	for {
		one := &text{}
		err := opened.RecvMsg(one)
		if err != nil {
			what["received"] = received
			if err == io.EOF {
				err = nil
			}
			outcome(err, what)
			return what
		}
		received = append(received, one.Value)
	}
}

func calls() []one {
	json, raw := codec.SerializationTypeJSON, codec.SerializationTypeNoop
	long := strings.Repeat("all the same ", 400)
	return []one{
		{method: "Hello", request: "aeraki"},
		{method: "Hello", request: "wörld, 世界 🌍", serialization: json},
		{method: "Echo", request: "\x00raw bytes\x01", serialization: raw},
		{method: "Echo", request: ""},
		{method: "Echo", request: long, compression: codec.CompressTypeGzip},
		{method: "Echo", request: long, compression: codec.CompressTypeZlib},
		{method: "Echo", request: long, compression: codec.CompressTypeSnappy},
		{method: "Echo", request: long, compression: codec.CompressTypeStreamSnappy},
		{method: "Echo", request: long, compression: codec.CompressTypeBlockSnappy},
		{method: "Metadata", request: "app-user", info: map[string]string{
			"app-user": "alice", "app-route": "blue", "app-empty": "", "app-unicode": "世界", "version": "v1",
		}},
		{method: "Metadata", request: "trpc-dyeing-key", dyeing: "tester"},
		{method: "Attached", request: "see below", attachment: []byte("an attachment of some bytes")},
		{method: "Attached", request: "nothing below", attachment: []byte{}},
		{method: "Hello", request: "nobody hears", oneway: true},
		{method: "Refuse", request: "order 7"},
		{method: "Overload", request: ""},
		{method: "Fail", request: ""},
		{method: "Missing", request: "", info: map[string]string{"app-user": "bob"}},
		{method: "Who", request: "", timeout: 1234 * time.Millisecond},
		{method: "Slow", request: "", timeout: 100 * time.Millisecond},
		{method: "Hello", request: "again"},
	}
}

func scripts() []script {
	big := strings.Repeat("x", 20000)
	return []script{
		{method: "Collect", send: []string{"a", "b", "c"}},
		{method: "Count", send: []string{"5"}},
		{method: "Chat", send: []string{"hi", "wörld", ""}},
		{method: "Chat", send: []string{"json"}, json: true},
		{method: "Tell", send: []string{"app-user"}, info: map[string]string{"app-user": "alice", "version": "v1"}},
		{method: "Chat", send: []string{big, big}},
		{method: "Missing", send: []string{"never"}},
		{method: "Reset", send: []string{"go"}},
		{method: "Break", send: []string{"go"}},
		{method: "Count", send: []string{"many"}},
		{method: "Chat", send: []string{"and then nothing"}, timeout: 150 * time.Millisecond, stay: true},
		{method: "Chat", send: []string{"again"}},
	}
}

func call(address, scenario string, count int) {
	p := &peer{options: []client.Option{
		client.WithTarget("ip://" + address), client.WithNetwork("tcp"), client.WithProtocol("trpc"),
	}}
	// One connection for all calls.
	shared := client.WithMultiplexedPool(multiplexed.New(multiplexed.WithConnectNumber(1)))
	switch scenario {
	case "calls":
		p.options = append(p.options, shared)
		for _, o := range calls() {
			tell(p.call(o))
		}
	case "pooled":
		// A connection is taken for a call and given back: the way of trpc-go if nothing is said.
		for _, o := range calls() {
			tell(p.call(o))
		}
	case "short":
		p.options = append(p.options, shared)
		for _, name := range []string{"aeraki", "again"} {
			tell(p.call(one{method: "Hello", request: name}))
		}
	case "pipelined":
		p.options = append(p.options, shared)
		var all sync.WaitGroup
		for number := 0; number < count; number++ {
			all.Add(1)
			go func(number int) {
				defer all.Done()
				tell(p.call(one{method: "Echo", request: fmt.Sprint("caller ", number)}))
			}(number)
		}
		all.Wait()
	case "large":
		p.options = append(p.options, shared)
		for _, length := range []int{3, 1310720, 3} {
			tell(p.call(one{method: "Echo", request: strings.Repeat("l", length)}))
		}
	case "streams":
		for _, s := range scripts() {
			tell(p.stream(s))
		}
	case "parallel":
		var all sync.WaitGroup
		for number := 0; number < count; number++ {
			all.Add(1)
			go func(number int) {
				defer all.Done()
				send := []string{fmt.Sprint("first ", number), fmt.Sprint("second ", number)}
				tell(p.stream(script{method: "Chat", send: send}))
			}(number)
		}
		all.Wait()
	default:
		fail("no such scenario: " + scenario)
	}
}
