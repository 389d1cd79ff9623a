package stack_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"checkout/test/stack"
)

// testTimeout limits each wait of a test. A start takes much less time, even on a busy host.
const testTimeout = 90 * time.Second

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start starts a system, waits until it is ready, and closes it at the end of the test.
func start(t *testing.T, cfg stack.Config) *stack.Stack {
	t.Helper()
	s, err := stack.Start(context.Background(), cfg) // t.Context() ends before the cleanup
	must(t, err)
	t.Cleanup(func() { s.End(t) })
	waitReady(t, s)
	return s
}

func waitReady(t *testing.T, s *stack.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	must(t, s.WaitReady(ctx))
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(testTimeout); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("wait until %s: timeout after %v", what, testTimeout)
		}
	}
}

// request sends a request and returns the status and the body of the response.
func request(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	must(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(t, err)
	return response.StatusCode, string(text)
}

// create sends a POST through the gateway and returns the ID in the given field of the response.
func create(t *testing.T, s *stack.Stack, path, field string) string {
	t.Helper()
	_, body := request(t, "POST", s.Gateway()+path, "")
	var response map[string]string
	must(t, json.Unmarshal([]byte(body), &response))
	return response[field]
}

// dial connects to the gateway. The connection is closed when the test ends.
func dial(t *testing.T, s *stack.Stack) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", hostPort(s.Gateway()), testTimeout)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// write writes text to a connection.
func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(conn, text)
	must(t, err)
}

// exchange writes a request unchanged to a connection, and returns the response and the body.
func exchange(t *testing.T, conn net.Conn, request string) (*http.Response, []byte) {
	t.Helper()
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	write(t, conn, request)
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, body
}

// send sends a request unchanged to the gateway, on a new connection.
func send(t *testing.T, s *stack.Stack, request string) (*http.Response, []byte) {
	t.Helper()
	conn := dial(t, s)
	defer conn.Close()
	return exchange(t, conn, request)
}

// replaceInstance kills an instance and serves its public port with a handler. Instances count from 1.
func replaceInstance(t *testing.T, s *stack.Stack, service string, instance int, h http.HandlerFunc) {
	t.Helper()
	must(t, s.Kill(fmt.Sprintf("%s-%d", service, instance)))
	l, err := net.Listen("tcp", hostPort(s.PublicURLs(service)[instance-1]))
	must(t, err)
	server := &http.Server{Handler: h}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
}

func hostPort(url string) string { return strings.TrimPrefix(url, "http://") }
