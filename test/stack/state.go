package stack

import "errors"

// ErrRunning is the error of Start if the component is already running.
var ErrRunning = errors.New("already running")

// State is the state of a component.
type State string

// The states of a component.
const (
	Running State = "running"
	Paused  State = "paused"  // by Pause
	Stopped State = "stopped" // by Stop, Kill or Terminate
	Crashed State = "crashed" // exited unexpectedly, or never started
)

// State returns the state of a component.
func (s *Stack) State(name string) (state State, err error) {
	err = s.with(name, func(c *component) error { state = c.state(); return nil })
	return state, err
}

func (c *component) state() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch p := c.latest; {
	case p.running() && p.paused:
		return Paused
	case p.running():
		return Running
	case p != nil && p.stopRequested:
		return Stopped
	default:
		return Crashed
	}
}
