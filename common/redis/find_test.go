package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fakeNode returns a function that connects to a primary of the given epoch. The primary replies to ROLE after a delay,
// and reports that no replica has confirmed a batch.
func fakeNode(epoch int, delay time.Duration) func(context.Context) (*conn, error) {
	return func(context.Context) (*conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			for lines := bufio.NewScanner(server); lines.Scan(); {
				var reply string
				switch strings.ToUpper(lines.Text()) {
				case "ROLE":
					time.Sleep(delay)
					reply = "*1\r\n$6\r\nmaster\r\n"
				case "GET":
					reply = fmt.Sprintf(":%d\r\n", epoch)
				case "INCR":
					reply = ":1\r\n"
				case "WAIT":
					reply = ":0\r\n"
				default: // not the name of a command
					continue
				}
				if _, err := server.Write([]byte(reply)); err != nil {
					return
				}
			}
		}()
		return newConn(client), nil
	}
}

// An old primary replies first at each dial. After a batch that no replica has confirmed, the next dial waits longer,
// and finds the new primary.
func TestOldPrimaryRepliesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := func(context.Context) (*conn, error) { return nil, errors.New("down") }
		dial := findPrimary([]func(context.Context) (*conn, error){
			fakeNode(1, 0), fakeNode(2, electionSettles+20*time.Millisecond), down,
		}, "epoch")
		end := newTrailer("seq", true)
		for _, want := range []int64{1, 2} {
			c, err := dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c.epoch != want {
				t.Errorf("got the primary of epoch %d, want %d", c.epoch, want)
			}
			if err := c.write(end.command, time.Now().Add(replyTimeout)); err != nil {
				t.Fatal(err)
			}
			if _, err := end.read(c); !errors.Is(err, errFewCopies) {
				t.Errorf("a batch without a replica: got %v, want %v", err, errFewCopies)
			}
			c.Close()
		}
		time.Sleep(time.Second) // until the dials have closed the connections that they did not choose
	})
}
