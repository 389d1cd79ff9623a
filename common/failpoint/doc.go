// Package failpoint marks the places where a step of the protocol is done, so that fault runs can kill the process there, pause
// whoever does the step, or lose the step's reply.
//
// Only a build with the tag "faults" has any of it: without the tag every function here is empty and inlined, and a binary holds
// nothing of this package, which a test looks for. With it, package web serves Control on the internal door.
//
// A point is named by who does the step and by the step: "coordinator commit", "recovery release stock", "participant reserve done".
// They are passed where steps are run, not where they are told to be: the order's own scripts in order/saga_store.go, the calls of
// stock and payment in common/participant/client.go, and how these serve them in common/participant/server.go.
package failpoint
