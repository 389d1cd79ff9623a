package web

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"checkout/common/api"
	"checkout/common/requestid"
)

// If net/http cannot parse a request, it responds in plain text and calls no handler. net/http writes such a
// response directly to the connection, with one call of Write. problemListener and problemConn replace this response
// with a problem.

type problemListener struct {
	net.Listener
	maxHeaders int // bytes; MaxHeaderBytes of the server
}

// Accept implements net.Listener.
func (l problemListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		return problemConn{tcp, l.maxHeaders}, err
	}
	return conn, err
}

type problemConn struct {
	*net.TCPConn
	maxHeaders int
}

var _ syscall.Conn = problemConn{} // WithClientConn needs this interface

// Write recognizes the error responses of net/http by these parts. The responses of handlers do not match, because
// they have more headers.
var (
	statusPrefix   = []byte("HTTP/1.1 ")
	plainHeaders   = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")
	tooLargeStatus = []byte("431")
	failedExpect   = []byte("417 Expectation Failed\r\nConnection: close\r\n")
)

// Write implements net.Conn.
func (c problemConn) Write(b []byte) (int, error) {
	body, ok := bytes.CutPrefix(b, statusPrefix)
	if !ok || len(body) == 0 || body[0] < '4' {
		return c.TCPConn.Write(b)
	}
	status, text, plain := bytes.Cut(body, plainHeaders)
	var failure *api.Error
	var detail string
	switch {
	case plain && bytes.IndexByte(status, '\n') < 0:
		failure, detail = api.BadRequest, string(text)
		if bytes.HasPrefix(status, tooLargeStatus) {
			failure = api.HeadersTooLong
			detail = fmt.Sprintf("want at most %d bytes in all lines", c.maxHeaders)
		}
	case bytes.HasPrefix(body, failedExpect):
		failure, detail = api.BadRequest, "Expect: want 100-continue"
	default:
		return c.TCPConn.Write(b)
	}
	if _, err := c.TCPConn.Write(problemResponse(failure, detail)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// problemResponse returns a whole response with a problem. The server closes the connection after the response.
func problemResponse(failure *api.Error, detail string) []byte {
	id, status := requestid.Accept("", 0), statusOf(failure)
	body := problemBody(failure, detail, id)
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nCache-Control: no-store\r\n"+
		"Connection: close\r\n\r\n%s", status, http.StatusText(status), problemType, len(body), body)
}
