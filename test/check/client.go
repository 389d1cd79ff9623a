package check

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// ResponseTimeout is the client's timeout. The gateway responds earlier, because it tries two instances for 15 s each.
const ResponseTimeout = 35 * time.Second

// idleTimeout is the time after which the client closes an idle connection. It is shorter than the gateway's timeout of
// 75 s, so that the client sends no request on a connection that the gateway is closing.
const idleTimeout = time.Minute

// Client sends requests to a gateway or an instance.
type Client struct {
	Gateway        string // http://host:port
	HTTP           *http.Client
	GatewayMayFail bool          // a missing response is not a violation
	direct         bool          // Gateway is an instance's public port
	keyed          *KeyedRequest // if not nil, Call sends requests with the key of this KeyedRequest

	// OnResponse, if set, receives every response.
	OnResponse func(method, path string, r Response)
}

// NewClient returns a client of the gateway at the URL.
func NewClient(gateway string) *Client {
	return &Client{Gateway: gateway, HTTP: &http.Client{
		Timeout:       ResponseTimeout,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 2048, IdleConnTimeout: idleTimeout},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Instance returns a client of the instance whose public port is at the URL. The new client shares the HTTP
// client of c.
func (c *Client) Instance(url string) *Client {
	return &Client{Gateway: url, HTTP: c.HTTP, GatewayMayFail: true, direct: true}
}

// Call sends one request to the gateway. If path is a complete URL, Call sends the request to this URL. The last
// arguments are the names of headers, each followed by its value. See WithKey for the requests of a client with an
// idempotency key.
func (c *Client) Call(method, path string, headers ...string) Response {
	if c.keyed != nil {
		return c.keyed.send(c, method, path)
	}
	if c.direct { // the public port expects no prefix such as /orders
		_, path, _ = strings.Cut(path[1:], "/")
		path = "/" + path
	}
	address := path
	if strings.HasPrefix(path, "/") {
		address = c.Gateway + path
	}
	r := Response{Began: time.Now(), mayFail: c.GatewayMayFail}
	request, err := http.NewRequest(method, address, nil)
	if err != nil {
		r.Err = err
		return r
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		r.Err, r.Ended = err, time.Now()
		return r
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	r.Ended = time.Now()
	if r.Err = err; err == nil {
		r.Status, r.Header, r.Body = response.StatusCode, response.Header, string(body)
		if c.OnResponse != nil {
			c.OnResponse(method, path, r)
		}
	}
	return r
}

// Checkout sends a checkout of an order.
func (c *Client) Checkout(order string) Response { return c.Call("POST", "/orders/checkout/"+order) }

// Cancel cancels a paid order, or a direct payment. For a direct payment, order is Payment.Purpose.
func (c *Client) Cancel(user, order string) Response {
	return c.Call("POST", "/payment/cancel/"+user+"/"+order)
}

// Close closes idle connections.
func (c *Client) Close() { c.HTTP.CloseIdleConnections() }
