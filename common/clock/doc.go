// Package clock lets fault tests shift the clock of this process. Without the build tag "faults" it does nothing.
package clock
