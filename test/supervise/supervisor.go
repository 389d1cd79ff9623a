// Package supervise restarts the components of a stack that exit unexpectedly. With CONSOLE=demo it also opens a
// control port, through which the console kills, stops and pauses components.
package supervise

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"checkout/test/stack"
)

const (
	minBackoff = 100 * time.Millisecond // doubled after each failed restart; short, because checkouts wait
	maxBackoff = 30 * time.Second
)

// exit is an unexpected exit of a component.
type exit struct {
	name string
	err  error
}

// Supervisor restarts components that exit unexpectedly.
type Supervisor struct {
	// KillBackoff is the time before the restart of a component that the console has killed. New sets it to 3 s, which is
	// long enough for a person to see the outage. Do not change KillBackoff after the call of Run.
	KillBackoff time.Duration

	ctx     context.Context
	printf  func(format string, args ...any)
	exits   chan exit
	control *control // nil: none
	stack   *stack.Stack

	mu     sync.Mutex
	killed map[string]bool        // components whose next restart waits for KillBackoff
	locks  map[string]*sync.Mutex // one for each component, held during a start or a stop
}

// New returns a supervisor for the stack that the caller will start with cfg. The supervisor works until ctx ends, and
// reports each event with printf. New sets cfg.OnExit. If cfg has the variable CONSOLE=demo, New opens the control
// port, and passes the URL and the token of the port to the order service.
func New(ctx context.Context, cfg *stack.Config, printf func(format string, args ...any)) (*Supervisor, error) {
	sv := &Supervisor{
		KillBackoff: 3 * time.Second,
		ctx:         ctx, printf: printf, exits: make(chan exit), killed: map[string]bool{}, locks: map[string]*sync.Mutex{},
	}
	cfg.OnExit = func(name string, err error) {
		select {
		case sv.exits <- exit{name, err}:
		case <-ctx.Done():
		}
	}
	if i := slices.Index(cfg.Env[""], "CONSOLE=demo"); i >= 0 {
		var err error
		if sv.control, err = listen(); err != nil {
			return nil, err
		}
		cfg.Env[""] = slices.Clone(cfg.Env[""])
		cfg.Env[""][i] = "CONSOLE=1"
		cfg.Env["order"] = append(slices.Clone(cfg.Env["order"]), sv.control.env()...)
	}
	return sv, nil
}

// URL returns the URL of the control port, or "" if there is none.
func (sv *Supervisor) URL() string {
	if sv.control == nil {
		return ""
	}
	return sv.control.url()
}

// Close closes the control port.
func (sv *Supervisor) Close() error {
	if sv.control == nil {
		return nil
	}
	return sv.control.Close()
}

// Run supervises a running stack until the context of New ends and all restarts have ended.
func (sv *Supervisor) Run(s *stack.Stack) {
	sv.stack = s
	for _, name := range s.Names() {
		sv.locks[name] = &sync.Mutex{}
	}
	var tasks sync.WaitGroup
	defer tasks.Wait()
	if sv.control != nil {
		tasks.Go(func() { sv.control.serve(sv) })
	}
	for {
		select {
		case e := <-sv.exits:
			log := "    " + strings.ReplaceAll(s.Tail(e.name, 5), "\n", "\n    ")
			sv.printf("%s exited: %v; its log ends with:\n%s", e.name, e.err, log)
			tasks.Go(func() { sv.restart(e.name) })
		case <-sv.ctx.Done():
			return
		}
	}
}

// restart starts a component that has exited, unless the console has stopped the component in the meantime. restart
// retries with exponential backoff until the component responds.
func (sv *Supervisor) restart(name string) {
	backoff := minBackoff
	if sv.wasKilled(name) {
		backoff = sv.KillBackoff
	}
	for ; ; backoff = min(2*backoff, maxBackoff) {
		select {
		case <-time.After(backoff):
		case <-sv.ctx.Done():
			return
		}
		err := sv.startUnlessStopped(name)
		switch {
		case errors.Is(err, errStopped) || errors.Is(err, stack.ErrRunning) || err != nil && sv.ctx.Err() != nil:
			return
		case err == nil:
			sv.printf("restarted %s", name)
			return
		}
		sv.printf("restart %s: %v", name, err)
	}
}

var errStopped = errors.New("stopped on request")

func (sv *Supervisor) startUnlessStopped(name string) error {
	lock := sv.locks[name]
	lock.Lock()
	defer lock.Unlock()
	if state, _ := sv.stack.State(name); state == stack.Stopped {
		return errStopped
	}
	return sv.stack.Start(sv.ctx, name)
}

// wasKilled reports whether the console killed a component. Each kill is reported only once.
func (sv *Supervisor) wasKilled(name string) bool {
	sv.mu.Lock()
	defer sv.mu.Unlock()
	defer delete(sv.killed, name)
	return sv.killed[name]
}

// actions are the changes that the console can make.
var actions = map[string]func(sv *Supervisor, name string) error{
	"kill":   (*Supervisor).kill,
	"stop":   func(sv *Supervisor, name string) error { return sv.stack.Stop(sv.ctx, name) },
	"start":  func(sv *Supervisor, name string) error { return sv.stack.Start(sv.ctx, name) },
	"pause":  func(sv *Supervisor, name string) error { return sv.stack.Pause(name) },
	"resume": func(sv *Supervisor, name string) error { return sv.stack.Resume(name) },
}

func (sv *Supervisor) kill(name string) error {
	sv.mu.Lock() // held until sv.killed is set, because sv.restart reads sv.killed after the exit
	defer sv.mu.Unlock()
	err := sv.stack.Crash(name)
	sv.killed[name] = err == nil
	return err
}

// do performs an action on a component. Starts and stops of one component run one after the other.
func (sv *Supervisor) do(action, name string) error {
	if action == "start" || action == "stop" {
		lock := sv.locks[name]
		lock.Lock()
		defer lock.Unlock()
	}
	sv.printf("%s %s, as the console requested", action, name)
	return actions[action](sv, name)
}

// component is a component in a response of the control port.
type component struct {
	Name  string      `json:"name"`
	State stack.State `json:"state"`
}

// components returns the state of each component. A crashed component is "killed" in the protocol of the console.
func (sv *Supervisor) components() []component {
	var all []component
	for _, name := range sv.stack.Names() {
		state, _ := sv.stack.State(name)
		if state == stack.Crashed {
			state = "killed"
		}
		all = append(all, component{name, state})
	}
	return all
}
