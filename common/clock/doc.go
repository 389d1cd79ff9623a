// Package clock skews the clock of this process, in builds with the tag "faults" only.
package clock
