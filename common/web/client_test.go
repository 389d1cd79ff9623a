package web

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

// deliveryTime is usually enough for the loopback interface to deliver data.
const deliveryTime = 10 * time.Millisecond

func TestClientConnected(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, c := range []struct {
		name string
		act  func(*net.TCPConn) error
		want bool
	}{
		{"waits", func(*net.TCPConn) error { return nil }, true},
		{"sent its next request", func(conn *net.TCPConn) error {
			_, err := io.WriteString(conn, request)
			return err
		}, true},
		{"closed the connection", func(conn *net.TCPConn) error { return conn.Close() }, false},
		{"reset the connection", func(conn *net.TCPConn) error {
			conn.SetLinger(0)
			return conn.Close()
		}, false},
		// The unread request hides the end of the stream, so the client counts as connected. This does no harm, because the
		// gateway never sends a second request before it has the response.
		{"sent its next request and closed the connection", func(conn *net.TCPConn) error {
			_, err := io.WriteString(conn, request)
			conn.Close()
			return err
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := c.want
			entered, proceed, connected := make(chan struct{}, 2), make(chan struct{}), make(chan bool, 2)
			e := gin.New()
			e.GET("/", func(c *gin.Context) {
				entered <- struct{}{}
				<-proceed
				got := ClientConnected(c.Request.Context())
				for deadline := time.Now().Add(5 * time.Second); got && !want && time.Now().Before(deadline); {
					time.Sleep(time.Millisecond) // until the end of the connection is delivered
					got = ClientConnected(c.Request.Context())
				}
				connected <- got
			})
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := newHTTPServer(e, maxPublicHeaders, &connections{})
			stopped := make(chan struct{})
			go func() { defer close(stopped); s.Serve(listener) }()
			defer func() { s.Close(); <-stopped }()
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			<-entered
			if err := c.act(conn.(*net.TCPConn)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(deliveryTime)
			close(proceed)
			if got := <-connected; got != c.want {
				t.Errorf("ClientConnected: got %v, want %v", got, c.want)
			}
		})
	}
}

func TestClientOfUnknownConnectionCountsAsConnected(t *testing.T) {
	if !ClientConnected(context.Background()) {
		t.Error("context without a connection: got a disconnected client, want a connected client")
	}
	if !ClientConnected(WithClientConn(context.Background(), struct{ net.Conn }{})) {
		t.Error("connection without a file descriptor: got a disconnected client, want a connected client")
	}
}

// BenchmarkClientConnected measures ClientConnected, which a checkout usually calls once.
func BenchmarkClientConnected(b *testing.B) {
	s, url := http.Server{ConnContext: WithClientConn}, make(chan string)
	s.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for b.Loop() {
			if !ClientConnected(r.Context()) {
				b.Error("the client is disconnected")
			}
		}
	})
	go func() {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Error(err)
		}
		url <- "http://" + listener.Addr().String()
		s.Serve(listener)
	}()
	defer s.Close()
	b.ReportAllocs()
	response, err := http.Get(<-url)
	if err != nil {
		b.Fatal(err)
	}
	response.Body.Close()
}
