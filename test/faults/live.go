package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// live tells what happens: each thing that is done on a line; beneath, on a terminal, how it stands now; elsewhere that comes as a
// line every few seconds.
type live struct {
	w        io.Writer
	terminal bool

	mu    sync.Mutex
	drawn int // lines beneath
}

func newLive(f *os.File) *live {
	info, err := f.Stat()
	return &live{w: f, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// Write writes lines; it is for those who report their progress to an io.Writer.
func (l *live) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	return l.w.Write(p)
}

func (l *live) say(format string, args ...any) {
	fmt.Fprintf(l, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

func (l *live) erase() {
	if l.drawn > 0 {
		fmt.Fprintf(l.w, "\x1b[%dA\x1b[J", l.drawn)
		l.drawn = 0
	}
}

// watch shows how it stands, until stop is called.
func (l *live) watch(r *report) (stop func()) {
	every := 5 * time.Second
	if l.terminal {
		every = 250 * time.Millisecond
	}
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(every)
		defer tick.Stop()
		last, at := 0, time.Now()
		rate := 0.0
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
			}
			done := r.checkouts()
			if since := time.Since(at); since > time.Second {
				rate = float64(done-last) / since.Seconds()
				last, at = done, time.Now()
			}
			l.draw(r.status(rate))
		}
	}()
	return func() { close(ended); <-gone }
}

func (l *live) draw(lines []string) {
	if len(lines) == 0 {
		return
	}
	if !l.terminal {
		l.say("%s", strings.Join(lines, "; "))
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	for _, line := range lines {
		fmt.Fprintf(l.w, "  \x1b[2K%s\n", clip(line, 150))
	}
	l.drawn = len(lines)
}

// clip keeps a line on one line of a terminal.
func clip(line string, width int) string {
	if runes := []rune(line); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return line
}

// status is how the trial that runs stands now.
func (r *report) status(rate float64) []string {
	tr := r.current()
	if tr == nil {
		return nil
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	now := "nothing"
	if len(tr.now) > 0 {
		now = strings.Join(tr.now, ", ")
	}
	found := fmt.Sprintf("%d violations", tr.violated)
	if tr.stands != nil {
		found += "; " + tr.stands()
	}
	return []string{
		fmt.Sprintf("%s, %v, %d faults so far, now: %s", tr.name(), time.Since(tr.began).Round(time.Second), sum(tr.faults), now),
		fmt.Sprintf("%.0f checkouts/s, answered %s", rate, listed(tr.outcomes)),
		found,
	}
}

func sum(counts map[string]int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}

// listed is counts by name, in the order of the names.
func listed(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s: %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}
