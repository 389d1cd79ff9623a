// Package clock lets fault tests shift the clock of this process. Without the build tag "faults" the package does
// nothing.
package clock
