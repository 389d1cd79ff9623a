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

// TestWaits asks, in a handler, whether its caller waits: as long as it does, whatever it says, and no longer.
func TestWaits(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, c := range []struct {
		name string
		do   func(*net.TCPConn) error
		want bool
	}{
		{"it waits", func(*net.TCPConn) error { return nil }, true},
		{"it has sent its next request", func(conn *net.TCPConn) error { _, err := io.WriteString(conn, request); return err }, true},
		{"it has left", func(conn *net.TCPConn) error { return conn.Close() }, false},
		{"it has reset the connection", func(conn *net.TCPConn) error { conn.SetLinger(0); return conn.Close() }, false},
		{"it has sent its next request and left", func(conn *net.TCPConn) error {
			_, err := io.WriteString(conn, request)
			conn.Close()
			return err
		}, true}, // what is to be read hides the end; the gateway sends nothing before it has an answer
	} {
		t.Run(c.name, func(t *testing.T) {
			asked, goOn, waits := make(chan struct{}, 2), make(chan struct{}), make(chan bool, 2)
			e := gin.New()
			e.GET("/", func(c *gin.Context) {
				asked <- struct{}{}
				<-goOn
				waits <- ClientConnected(c.Request.Context())
			})
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := server(e, maxBody, &connections{})
			ended := make(chan struct{})
			go func() { defer close(ended); s.Serve(listener) }()
			defer func() { s.Close(); <-ended }()
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			<-asked
			if err := c.do(conn.(*net.TCPConn)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond) // for the kernel to take it there
			close(goOn)
			if got := <-waits; got != c.want {
				t.Errorf("waits: %v, want %v", got, c.want)
			}
		})
	}
	if !ClientConnected(context.Background()) {
		t.Error("a caller whose connection is not known has left")
	}
	if !ClientConnected(WithClientConn(context.Background(), struct{ net.Conn }{})) {
		t.Error("a caller by what is no connection of the kernel's has left")
	}
}

// BenchmarkWaits: it is asked once in every checkout.
func BenchmarkWaits(b *testing.B) {
	s, url := http.Server{ConnContext: WithClientConn}, make(chan string)
	s.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for b.Loop() {
			if !ClientConnected(r.Context()) {
				b.Error("the caller has left")
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
