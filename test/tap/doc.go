// Package tap stands between the processes of a system, sees what passes, and holds, loses, delays or repeats it.
//
//	tap.go, resp.go   the way between a service and one of its Redises
//	trap.go           what catches single calls of scripts on it
//	scripts.go        the names of scripts
package tap
