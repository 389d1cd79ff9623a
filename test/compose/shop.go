package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// shop is the system as a caller sees it, through the gateway.
type shop struct {
	gateway string
	client  *http.Client
}

func newShop(port int) *shop {
	// A connection for each request: one that is kept would break with the gateway, and it is the system that is asked about.
	return &shop{fmt.Sprintf("http://127.0.0.1:%d", port), &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
}

// answer is the union of the answers' fields that are looked at here.
type answer struct {
	ItemID  string `json:"item_id"`
	UserID  string `json:"user_id"`
	OrderID string `json:"order_id"`
	Stock   int
	Credit  int
	Paid    bool
	Type    string
}

// call makes a request. What may be answered while a part of the system is away is an error that passes: no connection, 503, 429,
// and a checkout that was given up. Any other failure is final: above all a 404, which would be another service's answer.
func (s *shop) call(ctx context.Context, method, path string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.gateway+path, nil)
	if err != nil {
		return answer{}, final{err}
	}
	response, err := s.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return answer{}, final{fmt.Errorf("%s %s: %s: %w", method, path, response.Status, err)}
	}
	if response.StatusCode == http.StatusOK {
		return a, nil
	}
	err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, body)
	switch {
	case response.StatusCode == http.StatusServiceUnavailable, response.StatusCode == http.StatusTooManyRequests, a.Type == "/problems/attempt-closed":
		return answer{}, err
	}
	return answer{}, final{err}
}

// purchase is a paid order of one of five pieces at 3, by a user who had 10.
type purchase struct{ order, user, item string }

// buy goes through every service once: create, fill, check out, read.
func (s *shop) buy(ctx context.Context) (purchase, error) {
	user, err := s.call(ctx, "POST", "/payment/create_user")
	if err != nil {
		return purchase{}, err
	}
	item, err := s.call(ctx, "POST", "/stock/item/create/3")
	if err != nil {
		return purchase{}, err
	}
	order, err := s.call(ctx, "POST", "/orders/create/"+user.UserID)
	if err != nil {
		return purchase{}, err
	}
	bought := purchase{order.OrderID, user.UserID, item.ItemID}
	for _, path := range []string{
		"/payment/add_funds/" + bought.user + "/10",
		"/stock/add/" + bought.item + "/5",
		"/orders/addItem/" + bought.order + "/" + bought.item + "/1",
		"/orders/checkout/" + bought.order,
	} {
		if _, err := s.call(ctx, "POST", path); err != nil {
			return purchase{}, err
		}
	}
	return bought, s.holds(ctx, bought)
}

// holds tells whether a purchase still reads as it was made.
func (s *shop) holds(ctx context.Context, p purchase) error {
	order, err := s.call(ctx, "GET", "/orders/find/"+p.order)
	if err != nil {
		return err
	}
	user, err := s.call(ctx, "GET", "/payment/find_user/"+p.user)
	if err != nil {
		return err
	}
	item, err := s.call(ctx, "GET", "/stock/find/"+p.item)
	if err != nil {
		return err
	}
	if !order.Paid || user.Credit != 7 || item.Stock != 4 {
		return final{fmt.Errorf("order %s: paid %v, credit %d, stock %d; want true, 7, 4", p.order, order.Paid, user.Credit, item.Stock)}
	}
	return nil
}
