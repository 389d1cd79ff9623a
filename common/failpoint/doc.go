// Package failpoint marks the steps of the protocol, so that fault tests can kill the process, pause, or lose a reply
// there.
//
// Fail points exist only in builds with the tag "faults". Without the tag every function is empty and inlined; a test
// checks that the binary contains nothing of this package. With the tag, package web serves Control on the internal
// port.
//
// A point is named after its role and its step, such as "coordinator commit", "recovery release stock" or
// "participant reserve done".
package failpoint
