// The tRPC peers: a server and a client of trpc-go. See README.md beside this folder.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"trpc.group/trpc-go/trpc-go/log"
)

const (
	service = "trpc.test.demo.Demo"
	caller  = "trpc.test.peer.client"
)

func main() {
	if len(os.Args) < 2 {
		fail("usage: trpcpeer server|client --port PORT")
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	host := flags.String("host", "127.0.0.1", "")
	port := flags.Int("port", 0, "")
	scenario := flags.String("scenario", "calls", "")
	count := flags.Int("count", 200, "")
	if err := flags.Parse(os.Args[2:]); err != nil {
		fail(err.Error())
	}
	// What goes wrong is said in the output, or by the exit code.
	log.SetLevel("0", log.LevelFatal)
	address := net.JoinHostPort(*host, fmt.Sprint(*port))
	switch os.Args[1] {
	case "server":
		serve(address)
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
		<-ended
	case "client":
		call(address, *scenario, *count)
	default:
		fail("neither server nor client: " + os.Args[1])
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}
