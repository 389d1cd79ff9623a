//go:build faults

package failpoint

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The actions of a fail point.
const (
	Kill  = "kill"  // kills the process with SIGKILL
	Pause = "pause" // blocks the goroutine until the fail point is disarmed, for at most PauseMS
	Lose  = "lose"  // discards the reply to the step
)

// Armed is a fail point. It is armed until it has fired.
type Armed struct {
	ID      int    `json:"id"`
	Name    string `json:"name"` // printed on stderr when the point fires
	Point   string `json:"point"`
	About   string `json:"about"`              // matches steps whose subject contains this string, such as an ID
	Hit     int    `json:"hit"`                // fires at the Hit-th matching step; 0 means 1
	Action  string `json:"action"`             // Kill, Pause or Lose
	PauseMS int64  `json:"pause_ms,omitempty"` // the longest pause, in ms
	Seen    int    `json:"seen"`               // number of matching steps so far
	Fired   bool   `json:"fired"`
	Paused  bool   `json:"paused"` // a goroutine is paused now

	pausedStep string        // the subject of the paused step
	resume     chan struct{} // closed to end the pause
}

// control holds the fail points of this process. At start, the process loads them from the file
// $FAIL_POINTS-<instance>, so it has fail points again after a fail point has killed it.
var control = func() *controls {
	c := &controls{}
	instance, _, _ := strings.Cut(os.Getenv("MACHINE_ID"), "/")
	text, err := os.ReadFile(os.Getenv("FAIL_POINTS") + "-" + instance)
	if err != nil {
		return c // no file
	}
	var list []*Armed
	if err := json.Unmarshal(text, &list); err != nil {
		fmt.Fprintln(os.Stderr, "parse the file of FAIL_POINTS:", err)
	}
	for _, a := range list {
		c.arm(a)
	}
	return c
}()

type controls struct {
	count  atomic.Int64 // len(armed); read without the lock
	mu     sync.Mutex
	armed  []*Armed
	lastID int
}

// pass runs the action of the fail point that fires at a step, if any. It returns false if the reply to the step must
// be discarded.
func (c *controls) pass(point string, subject any) bool {
	if c.count.Load() == 0 {
		return true
	}
	a := c.match(point, fmt.Sprint(subject))
	if a == nil {
		return true
	}
	fmt.Fprintf(os.Stderr, "fail point fired: %s\n", a.Name)
	switch a.Action {
	case Kill:
		syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {}
	case Pause:
		select {
		case <-a.resume:
		case <-time.After(time.Duration(a.PauseMS) * time.Millisecond):
		}
		c.mu.Lock()
		a.Paused = false
		c.mu.Unlock()
		a.endPause()
		return true
	}
	return false
}

// match returns the first armed fail point that fires at a step, or nil. It increments the field Seen of each fail
// point that matches the step, up to the returned one.
func (c *controls) match(point, subject string) *Armed {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.armed {
		if a.Point != point || a.Fired || !strings.Contains(subject, a.About) {
			continue
		}
		a.Seen++
		if a.Seen >= a.Hit {
			a.Fired, a.Paused, a.pausedStep = true, a.Action == Pause, subject
			return a
		}
	}
	return nil
}

// waitWhilePaused waits until no step of an order or attempt in ids is paused.
func (c *controls) waitWhilePaused(ids ...string) {
	for {
		c.mu.Lock()
		i := slices.IndexFunc(c.armed, func(a *Armed) bool {
			return a.Paused && slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(a.pausedStep, id) })
		})
		if i < 0 {
			c.mu.Unlock()
			return
		}
		resume := c.armed[i].resume
		c.mu.Unlock()
		<-resume
	}
}

// endPause ends a pause. A second call does nothing.
func (a *Armed) endPause() {
	control.mu.Lock()
	defer control.mu.Unlock()
	select {
	case <-a.resume:
	default:
		close(a.resume)
	}
}

// Control serves the fail points of this process. POST arms one fail point and returns it. GET lists all fail points.
// DELETE disarms the fail points with the name in the query parameter "name". If the parameter is missing, DELETE
// disarms all fail points. DELETE also ends the pauses of the disarmed fail points.
func Control(w http.ResponseWriter, r *http.Request) {
	var response any
	switch r.Method {
	case http.MethodPost:
		a := &Armed{}
		err := json.NewDecoder(r.Body).Decode(a)
		if err == nil && (a.Point == "" || !slices.Contains([]string{Kill, Pause, Lose}, a.Action)) {
			err = fmt.Errorf("invalid fail point: point %q is empty or action %q is unknown", a.Point, a.Action)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		response = control.arm(a)
	case http.MethodGet:
		response = control.list()
	case http.MethodDelete:
		control.disarm(r.URL.Query().Get("name"))
		response = struct{}{}
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(response)
}

// arm adds a fail point. If an earlier one has the same name and has not fired, the new one replaces it.
func (c *controls) arm(a *Armed) Armed {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	a.ID, a.Hit, a.Seen, a.Fired, a.Paused, a.resume = c.lastID, cmp.Or(a.Hit, 1), 0, false, false, make(chan struct{})
	sameName := func(b *Armed) bool { return b.Name == a.Name && a.Name != "" && !b.Fired }
	if i := slices.IndexFunc(c.armed, sameName); i >= 0 {
		c.armed[i] = a
		return *a
	}
	c.armed = append(c.armed, a)
	c.count.Add(1)
	return *a
}

func (c *controls) list() []Armed {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Armed, len(c.armed))
	for i, a := range c.armed {
		all[i] = *a
	}
	return all
}

// disarm removes the fail points with the given name, or all fail points if the name is empty, and ends their pauses.
func (c *controls) disarm(name string) {
	var removed []*Armed
	c.mu.Lock()
	c.armed = slices.DeleteFunc(c.armed, func(a *Armed) bool {
		if name != "" && a.Name != name {
			return false
		}
		removed = append(removed, a)
		return true
	})
	c.count.Add(-int64(len(removed)))
	c.mu.Unlock()
	for _, a := range removed {
		a.endPause()
	}
}
