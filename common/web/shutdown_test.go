package web

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"
)

// A shutdown waits for requests in flight on the public and the internal port. It loses no request that clients send
// meanwhile.
func TestShutdownLosesNoRequest(t *testing.T) {
	t.Parallel()
	s := NewServer(false)
	s.closing.handshake = 5 * time.Second // the host may stall during a handshake
	entered, release := make(chan struct{}, 2), make(chan struct{})
	slow := JSON(func(*gin.Context) (string, error) {
		entered <- struct{}{}
		<-release
		return "done", nil
	})
	s.Public.POST("/slow", slow)
	s.Internal.POST("/slow", slow)
	var executed atomic.Int64
	s.Public.POST("/quick", JSON(func(*gin.Context) (string, error) { executed.Add(1); return "", nil }))
	r := start(t, s)

	var inFlight sync.WaitGroup
	for _, address := range []string{r.at.Public, r.at.Internal} {
		inFlight.Go(func() {
			response, err := http.Post("http://"+address+"/slow", "application/json", nil)
			if err != nil {
				t.Errorf("request in flight: got %v, want a response", err)
				return
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if response.StatusCode != 200 || string(body) != `"done"` || err != nil {
				t.Errorf("request in flight: got %d %s, %v; want 200", response.StatusCode, body, err)
			}
		})
		<-entered
	}
	// Half of the clients keep their connections, as a gateway does. A failed dial is no loss: the client has sent nothing
	// and can try another instance.
	var clients sync.WaitGroup
	var responses atomic.Int64
	for i := range 16 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
			defer client.CloseIdleConnections()
			for {
				response, err := client.Post("http://"+r.at.Public+"/quick", "", nil)
				var dial *net.OpError
				if errors.As(err, &dial) && dial.Op == "dial" {
					return
				}
				if err != nil {
					t.Errorf("lost a request: %v", err)
					return
				}
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
				responses.Add(1)
			}
		})
	}
	for responses.Load() < 500 {
		time.Sleep(time.Millisecond)
	}
	r.stop()
	clients.Wait()
	if executed.Load() != responses.Load() {
		t.Errorf("executed %d requests, but clients received %d responses, want the same", executed.Load(), responses.Load())
	}
	select {
	case err := <-r.served:
		t.Fatalf("the server stopped with requests in flight: %v", err)
	case <-time.After(s.closing.handshake + s.closing.gateway + time.Second):
	}
	close(release)
	inFlight.Wait()
	r.wait(t)
	for _, address := range []string{r.at.Public, r.at.Internal, r.at.Monitoring} {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			t.Errorf("port %s is still open after the shutdown", address)
		}
	}
}

// A shutdown closes no connection that a client may still use. Instead, each response asks the client to close its
// connection. The shutdown ends when the clients have closed their connections.
func TestShutdownLetsClientsCloseConnections(t *testing.T) {
	t.Parallel()
	s := NewServer(false)
	s.closing.gateway, s.closing.peers = time.Hour, time.Hour
	empty := JSON(func(*gin.Context) (string, error) { return "", nil })
	s.Public.POST("/", empty)
	s.Internal.POST("/", empty)
	r := start(t, s)
	var clients []net.Conn
	for _, address := range []string{r.at.Public, r.at.Internal} {
		for range 8 {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			clients = append(clients, conn)
		}
	}
	beginnings := []string{ // the server accepts the first request and rejects the others
		"POST / HTTP/1.1", "GET / HTTP/1.1", "POST /unknown HTTP/1.1", "POST / HTTP/1.1\r\nOrigin: http://other.example",
	}
	// request sends a request over each connection and checks whether the response asks to close the connection.
	request := func(wantClose bool) {
		for i, c := range clients {
			io.WriteString(c, beginnings[i%len(beginnings)]+
				"\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n")
			response, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Errorf("lost a request: %v", err)
			} else if response.Close != wantClose {
				t.Errorf("response with Connection: close: got %v, want %v", response.Close, wantClose)
			}
		}
	}
	request(false)
	http.DefaultClient.CloseIdleConnections() // the function start has left a connection open
	r.stop()
	for !s.draining.Load() {
		time.Sleep(time.Millisecond)
	}
	request(true)
	for _, c := range clients {
		c.Close()
	}
	r.wait(t)
}

// A shutdown waits for clients to close their connections, but only for a limited time. The gateway closes a connection
// that was idle for 2 s. A peer closes its connection at its next health check, usually within 1 s.
func TestShutdownWaitsForClientsForALimitedTime(t *testing.T) {
	for _, c := range []struct{ timeout, closes, want time.Duration }{
		{gatewayCloseTimeout, 2 * time.Second, 2 * time.Second},
		{gatewayCloseTimeout, time.Hour, gatewayCloseTimeout},
		{peerCloseTimeout, time.Second, time.Second},
		{peerCloseTimeout, time.Hour, peerCloseTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			conns, start := &connections{}, time.Now()
			conns.track(nil, http.StateNew)
			time.AfterFunc(c.closes, func() { conns.track(nil, http.StateClosed) })
			conns.awaitClosed(start.Add(c.timeout))
			if took := time.Since(start); took < c.want || took > c.want+connectionPollInterval {
				t.Errorf("waited %v for a connection that closes after %v, want %v", took, c.closes, c.want)
			}
		})
	}
}
