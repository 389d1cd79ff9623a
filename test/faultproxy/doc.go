// Package faultproxy forwards connections between the processes of a system and injects network faults. It can cut
// connections, and delay, drop and duplicate messages. It understands two protocols: Redis commands, and HTTP/1.1
// requests. It forwards other protocols as bytes.
//
//	proxy.go, link.go     a listener and its target; a connection
//	faults.go, random.go  the faults, and the seeded random numbers that select messages for the faults
//	resp.go, http.go      the parsers of the two protocols
//	tcp.go                other protocols, as streams of bytes
//	recorder.go           keeps messages and replays them much later
//	trap.go               stops individual script calls and HTTP requests
//	scripts.go            finds script names by SHA-1
package faultproxy
