// Package faultproxy forwards connections between the processes of a system and injects network faults. It can cut,
// delay, drop and duplicate messages. It understands two protocols: Redis commands, and HTTP/1.1 requests.
//
//	proxy.go, link.go     one listener and its target; one connection through it
//	faults.go, random.go  which faults apply, and the seeded random numbers that decide about each message
//	resp.go, http.go      the two protocols
//	recorder.go           keeps messages and sends them again much later
//	trap.go               stops single script calls
//	scripts.go            the names of the scripts
package faultproxy
