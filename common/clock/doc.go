// Package clock tells the time of day. Only a build with the tag "faults" can be told to be wrong about it.
package clock
