package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// live tells what happens: each finished thing on a line, and on a terminal the current one on the last line.
type live struct {
	w        io.Writer
	terminal bool
}

func newLive(f *os.File) *live {
	info, err := f.Stat()
	return &live{f, err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// Write writes lines; it is for those who report their progress to an io.Writer.
func (l *live) Write(p []byte) (int, error) { return l.w.Write(p) }

func (l *live) say(format string, args ...any) { fmt.Fprintf(l.w, format+"\n", args...) }

const redrawEvery = 250 * time.Millisecond

// watch shows how the work is getting on, until stop is called.
func (l *live) watch(what string, w *counted) (stop func()) {
	if !l.terminal {
		return func() {}
	}
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		redraw := time.NewTicker(redrawEvery)
		defer redraw.Stop()
		began := time.Now()
		for {
			select {
			case <-ended:
				fmt.Fprint(l.w, "\r\x1b[K")
				return
			case now := <-redraw.C:
				n := w.n.Load()
				fmt.Fprintf(l.w, "\r\x1b[K%s: %d, %.0f/s", what, n, float64(n)/now.Sub(began).Seconds())
			}
		}
	}()
	return func() { close(ended); <-gone }
}

// counted is work of which others may ask how much is done.
type counted struct {
	work
	n atomic.Int64
}

func (c *counted) done(tag int, a answer) {
	c.work.done(tag, a)
	c.n.Add(1)
}
