// The services that every peer of this folder serves and calls.
namespace py demo
namespace go demo

enum Color {
  RED = 1
  GREEN = 2
  BLUE = 4
}

struct Inner {
  1: i32 id
  2: string name
}

// One field of every type, empty and nested containers among them. The jumps
// between the ids make compact protocol use both of its field head forms.
struct Everything {
  1: optional bool yes
  2: optional bool no
  3: optional byte tiny
  4: optional i16 small
  5: optional i32 medium
  6: optional i64 big
  7: optional double real
  8: optional string text
  9: optional binary data
  10: optional Color color
  11: optional Inner inner
  30: optional list<Inner> inners
  31: optional set<i32> numbers
  32: optional map<string, i64> counts
  33: optional list<list<i32>> matrix
  34: optional map<i32, map<string, list<Inner>>> deep
  35: optional list<bool> flags
  36: optional map<string, bool> switches
  37: optional list<double> reals
  38: optional list<string> long_list
  60: optional list<i32> empty_list
  61: optional set<string> empty_set
  62: optional map<string, Inner> empty_map
  63: optional string empty_text
  300: optional i32 far
}

exception DemoError {
  1: i32 code
  2: string message
}

service Greeter {
  void ping()
  string sayHello(1: string name)
  i64 add(1: i32 a, 2: i64 b)
  Everything echo(1: Everything value)
  oneway void notify(1: string event)
  // Throws a DemoError with this code, or answers "no failure" to 0.
  string fail(1: i32 code) throws (1: DemoError error)
  // Fails in a way that the IDL doesn't declare.
  string crash(1: string why)
  // Answers the length of the data.
  i32 measure(1: binary data)
  // Answers the info headers that came with this call (THeader), else nothing.
  map<string, string> headers()
}

// What a client newer than its server sees: the server knows nothing of it.
service LaterGreeter extends Greeter {
  string missing(1: string name)
}

// A second service, reached only through a multiplexed processor.
service Counter {
  i32 increment(1: i32 by)
}
