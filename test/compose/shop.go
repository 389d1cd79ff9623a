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

// crowd is the same shop for many callers, who keep their connections.
func (s *shop) crowd(callers int) *shop {
	return &shop{s.gateway, &http.Client{Timeout: s.client.Timeout, Transport: &http.Transport{MaxIdleConnsPerHost: callers}}}
}

// answer is the union of the answers' fields that are looked at here.
type answer struct {
	ItemID  string `json:"item_id"`
	UserID  string `json:"user_id"`
	OrderID string `json:"order_id"`
	Stock   int
	Credit  int
	Paid    bool
	Machine string
	Type    string
}

// call makes a request. What may be answered while a part of the system is away is an error that passes: no connection, 503, 429,
// and a checkout that was given up. Any other failure is final: above all a 404, which would be another service's answer.
func (s *shop) call(ctx context.Context, method, path string) (answer, error) {
	a, _, err := s.ask(ctx, method, path)
	return a, err
}

// checkout also returns the status; 0 if there was no answer.
func (s *shop) checkout(ctx context.Context, order string) (int, error) {
	_, status, err := s.ask(ctx, "POST", "/orders/checkout/"+order)
	return status, err
}

func (s *shop) ask(ctx context.Context, method, path string) (answer, int, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.gateway+path, nil)
	if err != nil {
		return answer{}, 0, final{err}
	}
	response, err := s.client.Do(request)
	if err != nil {
		return answer{}, 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, 0, err
	}
	status := response.StatusCode
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return answer{}, status, final{fmt.Errorf("%s %s: %s: %w", method, path, response.Status, err)}
	}
	if status == http.StatusOK {
		return a, status, nil
	}
	err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, body)
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests || a.Type == "/problems/attempt-closed" {
		return answer{}, status, err
	}
	return answer{}, status, final{err}
}

// purchase is a paid order of one of five pieces at 3, by a user who had 10.
type purchase struct{ order, user, item string }

// buy goes through every service once: create, fill, check out, read.
func (s *shop) buy(ctx context.Context) (purchase, error) {
	bought, err := s.fill(ctx)
	if err != nil {
		return purchase{}, err
	}
	if _, err := s.checkout(ctx, bought.order); err != nil {
		return purchase{}, err
	}
	return bought, s.holds(ctx, bought)
}

// fill makes what there is to buy, and who can: everything but the checkout.
func (s *shop) fill(ctx context.Context) (purchase, error) {
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
	} {
		if _, err := s.call(ctx, "POST", path); err != nil {
			return purchase{}, err
		}
	}
	return bought, nil
}

// holds tells whether a purchase still reads as it was made.
func (s *shop) holds(ctx context.Context, p purchase) error { return s.reads(ctx, p, true, 7, 4) }

// untouched tells whether nothing was bought, paid or taken.
func (s *shop) untouched(ctx context.Context, p purchase) error { return s.reads(ctx, p, false, 10, 5) }

func (s *shop) reads(ctx context.Context, p purchase, paid bool, credit, stock int) error {
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
	if order.Paid != paid || user.Credit != credit || item.Stock != stock {
		return final{fmt.Errorf("order %s: paid %v, credit %d, stock %d; want %v, %d, %d", p.order, order.Paid, user.Credit, item.Stock, paid, credit, stock)}
	}
	return nil
}
