// Command thriftpeer is Apache Thrift's Go library as a server and a client.
// The package demo that it imports is generated from ../demo.thrift by build.py.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
)

type options struct {
	host        string
	port        int
	transport   string
	protocol    string
	multiplexed bool
	zlib        bool
	scenario    string
	count       int
	timeout     time.Duration
}

func (o *options) address() string {
	return net.JoinHostPort(o.host, strconv.Itoa(o.port))
}

func (o *options) configuration() *thrift.TConfiguration {
	strict := o.protocol != "binary-old"
	conf := &thrift.TConfiguration{
		SocketTimeout:      o.timeout,
		ConnectTimeout:     o.timeout,
		TBinaryStrictRead:  thrift.BoolPtr(strict),
		TBinaryStrictWrite: thrift.BoolPtr(strict),
	}
	if o.protocol == "compact" {
		conf.THeaderProtocolID = thrift.THeaderProtocolIDPtrMust(thrift.THeaderProtocolCompact)
	} else {
		conf.THeaderProtocolID = thrift.THeaderProtocolIDPtrMust(thrift.THeaderProtocolBinary)
	}
	if o.zlib {
		conf.THeaderTransforms = []thrift.THeaderTransformID{thrift.TransformZlib}
	}
	return conf
}

func (o *options) transportFactory() thrift.TTransportFactory {
	switch o.transport {
	case "unframed":
		return thrift.NewTBufferedTransportFactory(8192)
	case "framed":
		return thrift.NewTFramedTransportFactoryConf(
			thrift.NewTBufferedTransportFactory(8192), o.configuration())
	default: // The header protocol wraps the socket by itself.
		return thrift.NewTTransportFactory()
	}
}

func (o *options) protocolFactory() thrift.TProtocolFactory {
	conf := o.configuration()
	if o.transport == "header" {
		return thrift.NewTHeaderProtocolFactoryConf(conf)
	}
	switch o.protocol {
	case "compact":
		return thrift.NewTCompactProtocolFactoryConf(conf)
	case "json":
		return thrift.NewTJSONProtocolFactory()
	default:
		return thrift.NewTBinaryProtocolFactoryConf(conf)
	}
}

func (o *options) check() error {
	switch o.transport {
	case "unframed", "framed", "header":
	default:
		return fmt.Errorf("--transport %s: it must be unframed, framed or header", o.transport)
	}
	switch o.protocol {
	case "binary", "compact":
	case "binary-old", "json":
		if o.transport == "header" {
			return fmt.Errorf("the header transport carries the binary and the compact protocol only")
		}
	default:
		return fmt.Errorf("--protocol %s: it must be binary, binary-old, compact or json", o.protocol)
	}
	if o.zlib && o.transport != "header" {
		return fmt.Errorf("--zlib needs --transport header")
	}
	if o.port < 1 || o.port > 65535 {
		return fmt.Errorf("--port %d: it must be from 1 to 65535", o.port)
	}
	return nil
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("usage: thriftpeer server|client --port PORT [options]")
	}
	var o options
	flags := flag.NewFlagSet(arguments[0], flag.ExitOnError)
	flags.StringVar(&o.host, "host", "127.0.0.1", "address to listen on or connect to")
	flags.IntVar(&o.port, "port", 0, "port to listen on or connect to")
	flags.StringVar(&o.transport, "transport", "framed", "unframed, framed or header")
	flags.StringVar(&o.protocol, "protocol", "binary", "binary, binary-old, compact or json")
	flags.BoolVar(&o.multiplexed, "multiplexed", false, "serve and call Greeter and Counter by name")
	flags.BoolVar(&o.zlib, "zlib", false, "write with the zlib transform (header transport)")
	flags.StringVar(&o.scenario, "scenario", "interop", "interop, short, large, pipelined or connections")
	flags.IntVar(&o.count, "count", 200, "calls (pipelined) or connections (connections)")
	seconds := flags.Float64("timeout", 10, "seconds to wait for an answer")
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	o.timeout = time.Duration(*seconds * float64(time.Second))
	if err := o.check(); err != nil {
		return err
	}
	switch arguments[0] {
	case "server":
		// A proxy in between may keep a connection idle.
		o.timeout = 0
		return serve(&o)
	case "client":
		return runScenario(&o)
	default:
		return fmt.Errorf("%s: the role must be server or client", arguments[0])
	}
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "thriftpeer:", err)
		os.Exit(1)
	}
}
