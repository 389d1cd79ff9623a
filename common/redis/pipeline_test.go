package redis

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A batch gets no more commands when it has many commands or many bytes, so that Redis executes the batch in time.
func TestBatchesAreLimited(t *testing.T) {
	for _, c := range []struct{ size, commands, largest int }{
		{1, 1000, maxBatch}, {fullBatch / 4, 10, 4}, {fullBatch / 3, 10, 4}, {fullBatch, 3, 1}, {3 * fullBatch, 3, 1},
	} {
		p := &pipeline{sending: true} // so start does not start a sender
		text := bytes.Repeat([]byte("x"), c.size)
		for range c.commands {
			if _, err := p.start(func(out []byte) []byte { return append(out, text...) }, false); err != nil {
				t.Fatal(err)
			}
		}
		queued, largest := 0, 0
		for _, b := range p.waiting {
			queued, largest = queued+len(b.commands), max(largest, len(b.commands))
		}
		if queued != c.commands || largest != c.largest || p.len() != c.commands {
			t.Errorf("%d commands of %d bytes: got %d queued, largest batch %d, want all queued, largest batch %d",
				c.commands, c.size, queued, largest, c.largest)
		}
	}
}

// pipelineTo returns a pipeline that uses the given connection and counts its dials. After a batch has timed out,
// commands fail fast.
func pipelineTo(client net.Conn, dials *int) *pipeline {
	var failed error
	return &pipeline{
		timeout: replyTimeout, idle: time.Hour,
		dial:     func(context.Context) (*conn, error) { *dials++; return newConn(client), nil },
		failFast: func() error { return failed },
		failed:   func(error) { failed = errUnhealthy },
		observe:  func(time.Time, int) {},
		current:  func() *lineage { return nil },
	}
}

// callers sends full batches and waits for all replies. It returns the number of commands that failed. The commands are
// new, because the channel of a command in the pool may not belong to this test's synctest bubble.
func (p *pipeline) callers(batches int) (failures int) {
	var all []*command
	for range batches {
		b := &batch{}
		for range maxBatch {
			b.out = appendCommand(b.out, "PING")
			b.commands = append(b.commands, &command{done: make(chan struct{}, 1)})
		}
		p.waiting, all = append(p.waiting, b), append(all, b.commands...)
	}
	p.sender.Go(p.send)
	for _, c := range all {
		if <-c.done; c.err != nil {
			failures++
		}
	}
	p.sender.Wait()
	return failures
}

// An unresponsive server delays its callers by the timeout of one batch, however many callers there are. Later callers
// are not delayed.
func TestUnresponsiveServerDelaysItsCallersOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		go io.Copy(io.Discard, server)
		dials := 0
		p := pipelineTo(client, &dials)
		defer p.close()
		for _, want := range []time.Duration{replyTimeout + graceAfterDeadline, 0, 0} {
			start := time.Now()
			if failures := p.callers(10); failures != 10*maxBatch {
				t.Errorf("%d of %d calls failed, want all", failures, 10*maxBatch)
			}
			if took := time.Since(start); took != want {
				t.Errorf("the calls took %v, want %v", took, want)
			}
		}
		if dials != 1 {
			t.Errorf("connected %d times, want once", dials)
		}
	})
}

// A server that is busy almost until the timeout of a batch stays healthy, and its callers wait.
func TestBusyServerIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		batch := make([]byte, maxBatch*len(appendCommand(nil, "PING")))
		go func() {
			for range 3 {
				io.ReadFull(server, batch)
				time.Sleep(replyTimeout - time.Millisecond)
				io.WriteString(server, strings.Repeat("+PONG\r\n", maxBatch))
			}
		}()
		dials := 0
		p := pipelineTo(client, &dials)
		defer p.close()
		if failures := p.callers(3); failures > 0 || dials != 1 {
			t.Errorf("%d calls failed, connected %d times, want no failure and 1 connection", failures, dials)
		}
	})
}
