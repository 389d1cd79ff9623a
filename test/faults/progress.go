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

// progress prints events, one per line. On a terminal, progress shows the current status below the events. Elsewhere,
// progress prints the status every 5 s.
type progress struct {
	w        io.Writer
	terminal bool

	mu    sync.Mutex
	drawn int // number of status lines on the screen
}

func newProgress(f *os.File) *progress {
	info, err := f.Stat()
	return &progress{w: f, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// Write writes lines above the status lines.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	return p.w.Write(b)
}

func (p *progress) logf(format string, args ...any) {
	fmt.Fprintf(p, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

func (p *progress) erase() {
	if p.drawn > 0 {
		fmt.Fprintf(p.w, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
}

// watch shows the status of the report's current trial until the caller calls the returned function.
func (p *progress) watch(r *report) (stop func()) {
	every := 5 * time.Second
	if p.terminal {
		every = 250 * time.Millisecond
	}
	stopping, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(every)
		defer tick.Stop()
		last, at := 0, time.Now()
		rate := 0.0
		for {
			select {
			case <-stopping:
				return
			case <-tick.C:
			}
			done := r.checkouts()
			if since := time.Since(at); since > time.Second {
				rate = float64(done-last) / since.Seconds()
				last, at = done, time.Now()
			}
			p.draw(r.status(rate))
		}
	}()
	return func() { close(stopping); <-stopped }
}

func (p *progress) draw(lines []string) {
	if len(lines) == 0 {
		return
	}
	if !p.terminal {
		p.logf("%s", strings.Join(lines, "; "))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	for _, line := range lines {
		fmt.Fprintf(p.w, "  \x1b[2K%s\n", clip(line, 150))
	}
	p.drawn = len(lines)
}

// clip shortens a line to a width.
func clip(line string, width int) string {
	if runes := []rune(line); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return line
}

// status returns the status lines of the current trial.
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
	checks := fmt.Sprintf("%d violations", tr.violated)
	if tr.status != nil {
		checks += "; " + tr.status()
	}
	return []string{
		fmt.Sprintf("%s, %v, %d faults so far, now: %s",
			tr.name(), time.Since(tr.began).Round(time.Second), sum(tr.faults), now),
		fmt.Sprintf("%.0f checkouts/s, responses %s", rate, formatCounts(tr.outcomes)),
		checks,
	}
}

func sum(counts map[string]int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}

// formatCounts formats counts, sorted by name.
func formatCounts(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s: %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}
