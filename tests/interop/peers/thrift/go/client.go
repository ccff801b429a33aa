package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/apache/thrift/lib/go/thrift"

	"thriftpeer/demo"
)

// record is what is printed of one call; README.md describes its keys.
type record struct {
	Conn            int               `json:"conn"`
	ClientPort      int               `json:"client_port"`
	Service         string            `json:"service"`
	Method          string            `json:"method"`
	WireMethod      string            `json:"wire_method"`
	SeqID           int32             `json:"seq_id"`
	MessageType     string            `json:"message_type"`
	Args            map[string]any    `json:"args"`
	SentHeaders     map[string]string `json:"sent_headers"`
	Reply           *string           `json:"reply"`
	Outcome         string            `json:"outcome"`
	Ok              bool              `json:"ok"`
	Value           any               `json:"value"`
	Class           string            `json:"class,omitempty"`
	Type            *int32            `json:"type,omitempty"`
	Code            *int32            `json:"code,omitempty"`
	Message         *string           `json:"message,omitempty"`
	ReceivedHeaders map[string]string `json:"received_headers"`
}

// call is one call to make: its arguments have the field ids 1, 2, … in this order.
type call struct {
	service string
	method  string
	args    []any
	headers map[string]string
	oneway  bool
	make    func(ctx context.Context, s *session) (any, error)
}

type session struct {
	socket   *thrift.TSocket
	protocol thrift.TProtocol
	header   *thrift.THeaderProtocol // nil without the header transport
	standard map[string]*thrift.TStandardClient
	greeter  *demo.LaterGreeterClient
	counter  *demo.CounterClient
	port     int
	seqIDs   map[string]int32
}

func connect(o *options) (*session, error) {
	socket := thrift.NewTSocketConf(o.address(), o.configuration())
	transport, err := o.transportFactory().GetTransport(socket)
	if err != nil {
		return nil, err
	}
	if err := transport.Open(); err != nil {
		return nil, err
	}
	s := &session{
		socket:   socket,
		protocol: o.protocolFactory().GetProtocol(transport),
		standard: map[string]*thrift.TStandardClient{},
		port:     socket.Conn().LocalAddr().(*net.TCPAddr).Port,
		seqIDs:   map[string]int32{},
	}
	s.header, _ = s.protocol.(*thrift.THeaderProtocol)
	for _, name := range []string{"Greeter", "Counter"} {
		output := s.protocol
		if o.multiplexed {
			output = thrift.NewTMultiplexedProtocol(s.protocol, name)
		}
		s.standard[name] = thrift.NewTStandardClient(s.protocol, output)
	}
	s.greeter = demo.NewLaterGreeterClient(s.standard["Greeter"])
	s.counter = demo.NewCounterClient(s.standard["Counter"])
	return s, nil
}

// withHeaders arranges that the next call carries these info headers.
func (s *session) withHeaders(headers map[string]string) context.Context {
	ctx := context.Background()
	if s.header == nil {
		return ctx
	}
	keys := make([]string, 0, len(headers))
	s.header.ClearWriteHeaders()
	for key, value := range headers {
		keys = append(keys, key)
		ctx = thrift.SetHeader(ctx, key, value)
		// The standard client takes headers from the context only when its protocol is the
		// header protocol itself, which it isn't when multiplexed.
		s.header.SetWriteHeader(key, value)
	}
	return thrift.SetWriteHeaderList(ctx, keys)
}

func (s *session) receivedHeaders() map[string]string {
	headers := map[string]string{}
	if s.header != nil {
		for key, value := range s.header.GetReadHeaders() {
			headers[key] = value
		}
	}
	return headers
}

type client struct {
	options *options
	number  int
	current *session
}

// printing keeps the lines of concurrent connections whole.
var printing sync.Mutex

func (c *client) session() (*session, error) {
	if c.current == nil {
		s, err := connect(c.options)
		if err != nil {
			return nil, err
		}
		c.current = s
	}
	return c.current, nil
}

// close ends the connection; the next call opens another, with the next number.
func (c *client) close() {
	if c.current != nil {
		c.current.socket.Close()
		c.current = nil
		c.number++
	}
}

func (c *client) start(k *call, s *session, seqID int32) *record {
	r := &record{
		Conn:       c.number,
		ClientPort: s.port,
		Service:    k.service,
		Method:     k.method,
		WireMethod: k.method,
		SeqID:      seqID,
		// The library's standard client writes one-way calls as plain calls, too.
		MessageType:     "call",
		Args:            map[string]any{},
		SentHeaders:     map[string]string{},
		ReceivedHeaders: map[string]string{},
	}
	if c.options.multiplexed {
		r.WireMethod = k.service + ":" + k.method
	}
	for i, argument := range k.args {
		r.Args[strconv.Itoa(i+1)] = describe(argument)
	}
	if s.header != nil && k.headers != nil {
		r.SentHeaders = k.headers
	}
	return r
}

func (c *client) finish(r *record, k *call, s *session, value any, err error) error {
	var declared *demo.DemoError
	var application thrift.TApplicationException
	reply, exception := "reply", "exception"
	switch {
	case err == nil && k.oneway:
		r.Outcome, r.Ok = "oneway", true
	case err == nil:
		r.Outcome, r.Ok, r.Value, r.Reply = "value", true, describe(value), &reply
	case errors.As(err, &declared):
		r.Outcome, r.Class, r.Reply = "declared", "DemoError", &reply
		r.Code, r.Message = &declared.Code, &declared.Message
	case errors.As(err, &application):
		kind, message := application.TypeId(), application.Error()
		r.Outcome, r.Class, r.Reply = "application", "TApplicationException", &exception
		r.Type, r.Message = &kind, &message
	default:
		message := err.Error()
		r.Outcome, r.Class, r.Message = "broken", strings.TrimPrefix(fmt.Sprintf("%T", err), "*thrift."), &message
		var transport thrift.TTransportException
		if errors.As(err, &transport) {
			kind := int32(transport.TypeId())
			r.Class, r.Type = "TTransportException", &kind
		}
	}
	if r.Reply != nil {
		r.ReceivedHeaders = s.receivedHeaders()
	}
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		return err
	}
	printing.Lock()
	defer printing.Unlock()
	if _, err := os.Stdout.Write(line.Bytes()); err != nil {
		return err
	}
	if r.Outcome == "broken" {
		c.close()
	}
	return nil
}

func (c *client) run(calls []call) error {
	defer c.close()
	for i := range calls {
		k := &calls[i]
		s, err := c.session()
		if err != nil {
			return err
		}
		s.seqIDs[k.service]++
		r := c.start(k, s, s.seqIDs[k.service])
		value, err := k.make(s.withHeaders(k.headers), s)
		if err := c.finish(r, k, s, value, err); err != nil {
			return err
		}
	}
	return nil
}

// runPipelined writes all the calls with ids of their own, then reads all the answers.
func (c *client) runPipelined(count int) error {
	defer c.close()
	s, err := c.session()
	if err != nil {
		return err
	}
	standard := s.standard["Greeter"]
	output := s.protocol
	if c.options.multiplexed {
		output = thrift.NewTMultiplexedProtocol(s.protocol, "Greeter")
	}
	type pending struct {
		call   call
		record *record
	}
	var sent []pending
	for i := 0; i < count; i++ {
		k := call{service: "Greeter"}
		var args thrift.TStruct
		if i%2 == 1 {
			name := fmt.Sprintf("caller %d", i)
			k.method, k.args = "sayHello", []any{name}
			args = &demo.GreeterSayHelloArgs{Name: name}
		} else {
			a, b := int32(i), int64(1000*i)
			k.method, k.args = "add", []any{a, b}
			args = &demo.GreeterAddArgs{A: a, B: b}
		}
		seqID := int32(1000 + i)
		r := c.start(&k, s, seqID)
		if err := standard.Send(context.Background(), output, seqID, k.method, args); err != nil {
			return err
		}
		sent = append(sent, pending{k, r})
	}
	for _, p := range sent {
		var value any
		var err error
		if p.call.method == "sayHello" {
			var result demo.GreeterSayHelloResult
			err = standard.Recv(context.Background(), s.protocol, p.record.SeqID, p.call.method, &result)
			value = result.GetSuccess()
		} else {
			var result demo.GreeterAddResult
			err = standard.Recv(context.Background(), s.protocol, p.record.SeqID, p.call.method, &result)
			value = result.GetSuccess()
		}
		if err := c.finish(p.record, &p.call, s, value, err); err != nil {
			return err
		}
	}
	return nil
}

// describe gives a value as JSON: structs by name, binary by length and SHA-256.
func describe(value any) any {
	switch v := value.(type) {
	case []byte:
		sum := sha256.Sum256(v)
		return map[string]any{"bytes": len(v), "sha256": hex.EncodeToString(sum[:])}
	case *demo.Everything:
		return map[string]any{"struct": "Everything"}
	default:
		return value
	}
}

func ping() call {
	return call{service: "Greeter", method: "ping",
		make: func(ctx context.Context, s *session) (any, error) { return nil, s.greeter.Ping(ctx) }}
}

func sayHello(name string, headers map[string]string) call {
	return call{service: "Greeter", method: "sayHello", args: []any{name}, headers: headers,
		make: func(ctx context.Context, s *session) (any, error) { return s.greeter.SayHello(ctx, name) }}
}

func add(a int32, b int64) call {
	return call{service: "Greeter", method: "add", args: []any{a, b},
		make: func(ctx context.Context, s *session) (any, error) { return s.greeter.Add(ctx, a, b) }}
}

func echo(value *demo.Everything) call {
	return call{service: "Greeter", method: "echo", args: []any{value},
		make: func(ctx context.Context, s *session) (any, error) {
			answer, err := s.greeter.Echo(ctx, value)
			if answer != nil {
				slices.Sort(answer.Numbers) // A set: the peer may have changed the order.
			}
			return map[string]any{"echoed": reflect.DeepEqual(answer, value)}, err
		}}
}

func notify(event string, headers map[string]string) call {
	return call{service: "Greeter", method: "notify", args: []any{event}, headers: headers, oneway: true,
		make: func(ctx context.Context, s *session) (any, error) { return nil, s.greeter.Notify(ctx, event) }}
}

func fail(code int32) call {
	return call{service: "Greeter", method: "fail", args: []any{code},
		make: func(ctx context.Context, s *session) (any, error) { return s.greeter.Fail(ctx, code) }}
}

func crash(why string) call {
	return call{service: "Greeter", method: "crash", args: []any{why},
		make: func(ctx context.Context, s *session) (any, error) { return s.greeter.Crash(ctx, why) }}
}

func measure(data []byte) call {
	return call{service: "Greeter", method: "measure", args: []any{data},
		make: func(ctx context.Context, s *session) (any, error) { return s.greeter.Measure(ctx, data) }}
}

func readHeaders(headers map[string]string) call {
	return call{service: "Greeter", method: "headers", headers: headers,
		make: func(ctx context.Context, s *session) (any, error) { return s.greeter.Headers(ctx) }}
}

func missing(name string) call {
	return call{service: "Greeter", method: "missing", args: []any{name},
		make: func(ctx context.Context, s *session) (any, error) { return s.greeter.Missing(ctx, name) }}
}

func increment(by int32) call {
	return call{service: "Counter", method: "increment", args: []any{by},
		make: func(ctx context.Context, s *session) (any, error) { return s.counter.Increment(ctx, by) }}
}

// fullEverything has a value in every field.
func fullEverything() *demo.Everything {
	allBytes := make([]byte, 256)
	for i := range allBytes {
		allBytes[i] = byte(i)
	}
	items := make([]string, 20)
	for i := range items {
		items[i] = fmt.Sprintf("item %d", i)
	}
	color := demo.Color_BLUE
	return &demo.Everything{
		Yes:       thrift.BoolPtr(true),
		No:        thrift.BoolPtr(false),
		Tiny:      thrift.Int8Ptr(-128),
		Small:     thrift.Int16Ptr(-32768),
		Medium:    thrift.Int32Ptr(math.MaxInt32),
		Big:       thrift.Int64Ptr(math.MinInt64),
		Real:      thrift.Float64Ptr(-3.5e-7),
		Text:      thrift.StringPtr("naïve 文字 🌍"),
		Data:      allBytes,
		Color:     &color,
		Inner:     &demo.Inner{ID: 1, Name: "one"},
		Inners:    []*demo.Inner{{ID: -2, Name: "minus two"}, {ID: 3, Name: ""}},
		Numbers:   []int32{-1, 0, 1, 1000000},
		Counts:    map[string]int64{"a": 1, "β": -(1 << 40)},
		Matrix:    [][]int32{{1, 2, 3}, {}, {-4}},
		Deep:      map[int32]map[string][]*demo.Inner{7: {"x": {{ID: 70, Name: "seventy"}}, "y": {}}, -7: {}},
		Flags:     []bool{true, false, true},
		Switches:  map[string]bool{"on": true, "off": false},
		Reals:     []float64{0, 1.5, math.Inf(1)},
		LongList:  items,
		EmptyList: []int32{},
		EmptySet:  []string{},
		EmptyMap:  map[string]*demo.Inner{},
		EmptyText: thrift.StringPtr(""),
		Far:       thrift.Int32Ptr(300),
	}
}

// interopCalls has one of each kind of call; the one that may end the connection comes near the end.
func interopCalls(o *options) []call {
	kilobyte := make([]byte, 1024)
	for i := range kilobyte {
		kilobyte[i] = byte(i)
	}
	calls := []call{
		ping(),
		sayHello("aeraki", map[string]string{"x-user": "alice"}),
		sayHello("wörld, 世界 🌍", map[string]string{"x-user": "алиса", "x-empty": "", "X-Mixed-Case": "Yes"}),
		sayHello("", nil),
		add(7, 35),
		add(math.MinInt32, -9000000000000000000),
		echo(fullEverything()),
		echo(&demo.Everything{}),
		notify("started", nil),
		fail(404),
		fail(0),
		measure(kilobyte),
		readHeaders(map[string]string{
			"x-user": "alice", "x-route": "blue", "x-long": strings.Repeat("0123456789", 30)}),
		missing("nobody"),
	}
	if o.multiplexed {
		calls = append(calls, increment(5), increment(-2))
	}
	return append(calls, notify("nearly done", map[string]string{"x-user": "bob"}), crash("boom"), ping())
}

// shortCalls are all answered with a value.
func shortCalls() []call {
	return []call{ping(), sayHello("aeraki", map[string]string{"x-user": "alice"}), add(1, 2), sayHello("again", nil)}
}

// largeCalls are a small call, one with an argument of more than 1 MiB, a small call.
func largeCalls() []call {
	large := make([]byte, 251*5223)
	for i := range large {
		large[i] = byte(i % 251)
	}
	return []call{ping(), measure(large), sayHello("after", nil)}
}

func runScenario(o *options) error {
	first := &client{options: o}
	switch o.scenario {
	case "interop":
		return first.run(interopCalls(o))
	case "short":
		return first.run(shortCalls())
	case "large":
		return first.run(largeCalls())
	case "pipelined":
		return first.runPipelined(o.count)
	case "connections":
		failures := make(chan error, o.count)
		for i := 0; i < o.count; i++ {
			go func() { failures <- (&client{options: o, number: i}).run(shortCalls()) }()
		}
		var all error
		for i := 0; i < o.count; i++ {
			all = errors.Join(all, <-failures)
		}
		return all
	default:
		return fmt.Errorf("--scenario %s: it must be interop, short, large, pipelined or connections", o.scenario)
	}
}
