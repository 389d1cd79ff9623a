package check

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// AnswerWithin is longer than any answer may take: the gateway waits 15 s for a first machine and as long for a second.
const ResponseTimeout = 35 * time.Second

// Client sends requests to a gateway.
type Client struct {
	Gateway        string // http://host:port
	HTTP           *http.Client
	GatewayMayFail bool          // then it is no flaw to get no answer at all
	direct         bool          // it is a machine's own door, whose paths have no prefix
	keyed          *KeyedRequest // how its requests are sent, if with an idempotency key
	OnResponse     func(method, path string, a Response)
}

// NewClient returns a client of the gateway at this address.
func NewClient(gateway string) *Client {
	return &Client{Gateway: gateway, HTTP: &http.Client{
		Timeout:       ResponseTimeout,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 2048},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Of returns a client of one machine's own door that shares the connections.
func (c *Client) Instance(door string) *Client {
	return &Client{Gateway: door, HTTP: c.HTTP, GatewayMayFail: true, direct: true}
}

// Call sends one request to the gateway, or to any other address if path is a whole URL, with headers: name, value, name, value.
func (c *Client) Call(method, path string, headers ...string) Response {
	if c.keyed != nil {
		return c.keyed.send(c, method, path)
	}
	if c.direct {
		_, path, _ = strings.Cut(path[1:], "/")
		path = "/" + path
	}
	address := path
	if strings.HasPrefix(path, "/") {
		address = c.Gateway + path
	}
	a := Response{Began: time.Now(), mayFail: c.GatewayMayFail}
	request, err := http.NewRequest(method, address, nil)
	if err != nil {
		a.Err = err
		return a
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		a.Err, a.Ended = err, time.Now()
		return a
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	a.Ended = time.Now()
	if a.Err = err; err == nil {
		a.Status, a.Header, a.Body = response.StatusCode, response.Header, string(body)
		if c.OnResponse != nil {
			c.OnResponse(method, path, a)
		}
	}
	return a
}

// Checkout sends one checkout.
func (c *Client) Checkout(order string) Response { return c.Call("POST", "/orders/checkout/"+order) }

// Cancel sends one cancel.
func (c *Client) Cancel(user, order string) Response {
	return c.Call("POST", "/payment/cancel/"+user+"/"+order)
}

// Close drops the connections that are idle.
func (c *Client) Close() { c.HTTP.CloseIdleConnections() }
