// Command go is an example client. It creates a user, an item and an order, checks the order out, and prints the
// result. It retries each request safely.
//
//	GATEWAY_URL=http://localhost:8000 go run ./test/examples/go
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
)

// shop is a client of the gateway. After the first error, further calls do nothing.
type shop struct {
	url    string
	client *http.Client
	err    error
}

// call sends a request and returns the fields of the response. After 429, 503 or a lost response, it retries the
// request. It sends the request at most five times. The idempotency key makes retries of a write safe. A checkout
// needs no key.
func (s *shop) call(method, format string, args ...any) map[string]any {
	path, key := fmt.Sprintf(format, args...), uuid.NewString()
	for try := time.Duration(1); s.err == nil; try++ {
		request, err := http.NewRequest(method, s.url+path, nil)
		if err != nil {
			s.err = err
			break
		}
		if method == http.MethodPost && !strings.HasPrefix(path, "/orders/checkout/") {
			request.Header.Set("Idempotency-Key", key)
		}
		status, fields, err := s.send(request)
		switch {
		case err == nil && status == http.StatusOK:
			return fields
		case err == nil && status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable:
			s.err = fmt.Errorf("%s %s: rejected as %v: %v", method, path, fields["type"], fields["detail"])
		case try == 5:
			s.err = fmt.Errorf("%s %s: no final response (last status %d, error %v)", method, path, status, err)
		default:
			time.Sleep(try * time.Second)
		}
	}
	return map[string]any{}
}

func (s *shop) send(request *http.Request) (status int, fields map[string]any, err error) {
	response, err := s.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	err = json.NewDecoder(response.Body).Decode(&fields)
	return response.StatusCode, fields, err
}

func main() {
	s := &shop{
		url:    cmp.Or(os.Getenv("GATEWAY_URL"), "http://localhost:8000"),
		client: &http.Client{Timeout: 30 * time.Second},
	}
	user := s.call("POST", "/payment/create_user")["user_id"]
	s.call("POST", "/payment/add_funds/%v/100", user)
	item := s.call("POST", "/stock/item/create/5")["item_id"]
	s.call("POST", "/stock/add/%v/10", item)
	order := s.call("POST", "/orders/create/%v", user)["order_id"]
	s.call("POST", "/orders/addItem/%v/%v/2", order, item)
	s.call("POST", "/orders/checkout/%v", order)
	fmt.Println("paid:", s.call("GET", "/orders/find/%v", order)["paid"])
	fmt.Println("credit:", s.call("GET", "/payment/find_user/%v", user)["credit"])
	fmt.Println("stock:", s.call("GET", "/stock/find/%v", item)["stock"])
	if s.err != nil {
		fmt.Fprintln(os.Stderr, s.err)
		os.Exit(1)
	}
}
