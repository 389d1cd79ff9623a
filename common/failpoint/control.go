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

// Actions of a fail point.
const (
	Kill  = "kill"  // the process kills itself, by SIGKILL
	Pause = "pause" // whoever does the step stops for a while, or until it is resumed; the process goes on
	Lose  = "lose"  // the reply of the step is lost
)

// Armed is a fail point that waits for its step, or has met it.
type Armed struct {
	ID      int    `json:"id"`
	Name    string `json:"name"` // what it is called on stderr when it fires: that outlives the process
	Point   string `json:"point"`
	About   string `json:"about"`              // only steps that have to do with this, an id for example; empty: any
	Hit     int    `json:"hit"`                // which step it is, counted from 1, which 0 is as well
	Action  string `json:"action"`             // Kill, Pause or Lose
	PauseMS int64  `json:"pause_ms,omitempty"` // how long a pause is, if nobody resumes it
	Seen    int    `json:"seen"`               // steps so far
	Fired   bool   `json:"fired"`
	Paused  bool   `json:"paused"` // somebody is paused now

	about  string        // all that the step which is paused has to do with
	resume chan struct{} // closed to end the pause
}

// control is what is armed in this process: at first what lies in a file, so that a process that was killed by one fail point comes
// back with the others. The file is FAIL_POINTS, "-", and the machine's number.
var control = func() *controls {
	c := &controls{}
	machine, _, _ := strings.Cut(os.Getenv("MACHINE_ID"), "/")
	text, err := os.ReadFile(os.Getenv("FAIL_POINTS") + "-" + machine)
	if err != nil {
		return c // there is none
	}
	var list []*Armed
	if err := json.Unmarshal(text, &list); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL_POINTS:", err)
	}
	for _, a := range list {
		c.arm(a)
	}
	return c
}()

type controls struct {
	busy   atomic.Int64 // how many are armed: nothing is looked at while there are none
	mu     sync.Mutex
	armed  []*Armed
	lastID int
}

// pass does what is armed for a point; false means that the reply is lost.
func (c *controls) pass(point string, about any) bool {
	if c.busy.Load() == 0 {
		return true
	}
	a := c.meet(point, fmt.Sprint(about))
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
		a.end()
		return true
	}
	return false
}

// meet counts a step, and returns what it is to fire.
func (c *controls) meet(point, about string) *Armed {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.armed {
		if a.Point != point || a.Fired || !strings.Contains(about, a.About) {
			continue
		}
		a.Seen++
		if a.Seen >= a.Hit {
			a.Fired, a.Paused, a.about = true, a.Action == Pause, about
			return a
		}
	}
	return nil
}

// hold waits until no pause is about any of these.
func (c *controls) hold(ids ...string) {
	for {
		c.mu.Lock()
		i := slices.IndexFunc(c.armed, func(a *Armed) bool {
			return a.Paused && slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(a.about, id) })
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

// end tells those who wait that the pause is over. It may be called more than once.
func (a *Armed) end() {
	control.mu.Lock()
	defer control.mu.Unlock()
	select {
	case <-a.resume:
	default:
		close(a.resume)
	}
}

// Control serves what is armed in this process: POST arms an Armed and answers with its id, GET lists, DELETE disarms and resumes,
// all or those of a ?name=.
func Control(w http.ResponseWriter, r *http.Request) {
	var answer any
	switch r.Method {
	case http.MethodPost:
		a := &Armed{}
		err := json.NewDecoder(r.Body).Decode(a)
		if err == nil && (a.Point == "" || !slices.Contains([]string{Kill, Pause, Lose}, a.Action)) {
			err = fmt.Errorf("point %q, action %q", a.Point, a.Action)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer = control.arm(a)
	case http.MethodGet:
		answer = control.list()
	case http.MethodDelete:
		control.disarm(r.URL.Query().Get("name"))
		answer = struct{}{}
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer)
}

// arm arms one, in the place of the one of the same name if there is one and it has not fired.
func (c *controls) arm(a *Armed) Armed {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	a.ID, a.Hit, a.Seen, a.Fired, a.Paused, a.resume = c.lastID, cmp.Or(a.Hit, 1), 0, false, false, make(chan struct{})
	if i := slices.IndexFunc(c.armed, func(b *Armed) bool { return b.Name == a.Name && a.Name != "" && !b.Fired }); i >= 0 {
		c.armed[i] = a
		return *a
	}
	c.armed = append(c.armed, a)
	c.busy.Add(1)
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

// disarm forgets those of a name, or all if it is empty.
func (c *controls) disarm(name string) {
	var gone []*Armed
	c.mu.Lock()
	c.armed = slices.DeleteFunc(c.armed, func(a *Armed) bool {
		if name != "" && a.Name != name {
			return false
		}
		gone = append(gone, a)
		return true
	})
	c.busy.Add(-int64(len(gone)))
	c.mu.Unlock()
	for _, a := range gone {
		a.end()
	}
}
