// Package failpoint marks the steps of the protocol. At each step, a fault test can kill or pause the process, or
// discard a reply.
//
// Fail points exist only in builds with the tag "faults". Without the tag every function is empty and inlined, and a
// test checks that the binary contains no code of this package. With the tag, package web serves Control on the
// internal port.
//
// A point is named after its role and its step, such as "coordinator commit", "recovery release stock" or
// "participant reserve done".
package failpoint
