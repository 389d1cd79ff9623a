package redis

import (
	"bytes"
	"testing"
)

// A batch gets no more commands when it has many commands or many bytes, so that Redis executes it within its timeout.
func TestBatchesAreLimited(t *testing.T) {
	for _, c := range []struct{ size, commands, largest int }{
		{1, 1000, maxBatch}, {fullBatch / 4, 10, 4}, {fullBatch / 3, 10, 4}, {fullBatch, 3, 1}, {3 * fullBatch, 3, 1},
	} {
		p := &pipeline{sending: true} // nothing is sent
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
			t.Errorf("%d commands of %d bytes: got %d queued, %d in the largest batch, want %d in the largest", c.commands,
				c.size, queued, largest, c.largest)
		}
	}
}
