package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

const (
	postHead = "POST /orders/create/x HTTP/1.1\r\nHost: x\r\n"
	getHead  = "GET /orders/ HTTP/1.1\r\nHost: x\r\n"
)

// smugglingRequests are requests that two servers may parse differently. Their placeholders:
//
//   - {}: the hidden request, which only one of the servers finds
//   - {n} and {x}: the length of the hidden request in bytes, decimal and hexadecimal
//   - {n+5}: {n} plus the five bytes of the empty chunk "0\r\n\r\n"
//   - @: the address of the internal port
var smugglingRequests = map[string]string{
	"CL.TE":           postHead + "Content-Length: {n+5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}",
	"TE.CL":           postHead + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n{x}\r\n{}\r\n0\r\n\r\n",
	"TE with a space": postHead + "Transfer-Encoding : chunked\r\nContent-Length: {n}\r\n\r\n{}",
	"TE with a tab":   postHead + "Transfer-Encoding:\tchunked\r\nContent-Length: {n+5}\r\n\r\n0\r\n\r\n{}",
	"TE twice": postHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n" +
		"Content-Length: {n+5}\r\n\r\n0\r\n\r\n{}",
	"TE of another name":    postHead + "Transfer-Encoding: xchunked\r\nContent-Length: {n+5}\r\n\r\n0\r\n\r\n{}",
	"TE in a list":          postHead + "Transfer-Encoding: identity, chunked\r\nContent-Length: {n+5}\r\n\r\n0\r\n\r\n{}",
	"TE with an underscore": postHead + "Transfer_Encoding: chunked\r\nContent-Length: {n+5}\r\n\r\n0\r\n\r\n{}",
	"TE after a bare newline": postHead + "X: y\nTransfer-Encoding: chunked\r\nContent-Length: {n+5}\r\n\r\n0\r\n" +
		"\r\n{}",
	"TE folded":       postHead + "Transfer-Encoding:\r\n chunked\r\nContent-Length: {n+5}\r\n\r\n0\r\n\r\n{}",
	"a folded header": postHead + "X: y\r\n Content-Length: 0\r\nContent-Length: {n}\r\n\r\n{}",
	"TE in HTTP/1.0": "POST /orders/create/x HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n" +
		"Transfer-Encoding: chunked\r\nContent-Length: {n+5}\r\n\r\n0\r\n\r\n{}",
	"CL twice":                  postHead + "Content-Length: 0\r\nContent-Length: {n}\r\n\r\n{}",
	"CL in a list":              postHead + "Content-Length: 0, {n}\r\n\r\n{}",
	"CL with a sign":            postHead + "Content-Length: +{n}\r\n\r\n{}",
	"CL below zero":             postHead + "Content-Length: -1\r\n\r\n{}",
	"CL with a zero byte":       postHead + "Content-Length: {n}\x00\r\n\r\n{}",
	"a GET with a body":         getHead + "Content-Length: {n}\r\n\r\n{}",
	"a chunk with an extension": postHead + "Transfer-Encoding: chunked\r\n\r\n0;a=\"\r\n\r\n\"{}\r\n\r\n",
	"a chunk of a bad size":     postHead + "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n{}",
	"a chunk too large":         postHead + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
	"bare newlines":             "POST /orders/create/x HTTP/1.1\nHost: x\nContent-Length: 0\n\n{}",
	"in the path": "POST /orders/create/x%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0a{} " +
		"HTTP/1.1\r\nHost: x\r\n\r\n",
	"in the path, unescaped": "POST /orders/create/x HTTP/1.1\r\nX: y\r\n\r\n{} HTTP/1.1\r\nHost: x\r\n\r\n",
	"h2c": getHead + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" +
		"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{}",
	"a websocket": getHead + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: x\r\n\r\n{}",
	"hop by hop": postHead + "Connection: close, Content-Length\r\nContent-Length: {n}\r\n\r\n{}",
	"expected":   postHead + "Expect: 100-continue\r\nContent-Length: {n}\r\n\r\n{}",
	"tunnelled":  "CONNECT @ HTTP/1.1\r\nHost: @\r\n\r\n{}",
	"of another method": getHead + "X-HTTP-Method-Override: POST\r\nX-Original-URL: /internal/reserve\r\n" +
		"X-Rewrite-URL: /internal/reserve\r\n\r\n{}",
	"of another host": "POST http://@/internal/reserve HTTP/1.1\r\nHost: @\r\nX-Forwarded-Host: @\r\n" +
		"Content-Length: 0\r\n\r\n{}",
}

// TestNoRequestSmuggling checks that a request hidden in another request never reaches the internal port. No other
// client receives a response to the hidden request.
func TestNoRequestSmuggling(t *testing.T) {
	t.Parallel()
	s, deposits := start(t, stack.Config{}), check.NewDeposits()
	user, item := s.newUser(50), s.newItem(3, 50)
	deposits.Credit[user], deposits.Stock[item] = 50, 50
	internal := strings.TrimPrefix(s.InternalURLs("stock")[0], "http://")
	until := time.Now().Add(time.Hour).UnixMilli()
	reserve := fmt.Sprintf(`[{"id":"smuggled","until":%d,"lines":[{"id":"%s","n":1}]}]`, until, item)
	inner := fmt.Sprintf("POST /internal/reserve HTTP/1.1\r\nHost: %s\r\n", internal) +
		fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(reserve), reserve)
	length := len(inner)
	fill := strings.NewReplacer("{}", inner, "{n}", fmt.Sprint(length), "{n+5}", fmt.Sprint(length+5),
		"{x}", fmt.Sprintf("%x", length), "@", internal)
	for name, text := range smugglingRequests {
		for _, service := range []string{"orders", "stock"} {
			received := s.exchange(fill.Replace(strings.ReplaceAll(text, "/orders/", "/"+service+"/")))
			for _, internalText := range []string{`"code"`, `"alive"`, " 101 "} {
				if strings.Contains(received, internalText) {
					t.Errorf("%s: the response contains %s, want no text of an internal port: %s", name, internalText, received)
				}
			}
			for range 4 {
				if got := s.get("/stock/find/%s", item); got["price"] != 3.0 || got["stock"] != 50.0 {
					t.Errorf("after %s: got the item %v, want price 3 and stock 50", name, got)
				}
				if got := s.get("/payment/find_user/%s", user); got["user_id"] != user {
					t.Errorf("after %s: got the user %v, want the user with the requested ID", name, got)
				}
				if r := s.Call("GET", "/orders/find/"+item); r.Status != 404 || !strings.Contains(r.Body, item) {
					t.Errorf("after %s: find a missing order: got %v, want 404 with the requested ID", name, r)
				}
			}
		}
	}
	if n := s.shards["stock"][0].Exists(context.Background(), "{s0}r:smuggled").Val(); n != 0 {
		t.Error("a smuggled request reached the internal port")
	}
	s.check(deposits)
}

// exchange sends bytes to the gateway. It returns everything that the gateway sends until the gateway closes the
// connection or sends nothing for 0.3 s.
func (s *system) exchange(request string) string {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.Stack.Gateway(), "http://"))
	s.must(err)
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		return ""
	}
	var received bytes.Buffer
	for buffer := make([]byte, 4096); ; {
		s.must(conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond)))
		n, err := conn.Read(buffer)
		received.Write(buffer[:n])
		if err != nil {
			return received.String()
		}
	}
}
