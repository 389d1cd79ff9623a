// Package faultproxy stands between the parts of a system, sees what passes, and holds, loses, delays or repeats it.
//
//	tap.go, way.go     the way from one part to another, and one connection on it
//	weather.go, fate.go    what becomes of what passes, and what of that is chance
//	resp.go, http.go   what passes: to a Redis, and to a door
//	record.go          what has passed may come again, much later
//	trap.go            what catches single calls of scripts
//	scripts.go         the names of scripts
package faultproxy
