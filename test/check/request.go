package check

import (
	"encoding/json"
	"fmt"
)

// Kind is the kind of a request for an order.
type Kind int

// Kinds of requests.
const (
	addItem Kind = iota
	removeItem
	removeOrder
	findOrder
	paymentStatus
	checkout
	cancel
	finalState // not a request: the order in the snapshot
)

// Request is a request for an order, and its response.
type Request struct {
	Kind     Kind
	Item     string
	Quantity int64
	Response
}

func (t Request) String() string {
	name := []string{"addItem", "removeItem", "remove", "find", "status", "checkout", "cancel", "snapshot"}[t.Kind]
	if t.Item != "" {
		name += fmt.Sprintf(" %d of %s", t.Quantity, t.Item)
	}
	return name
}

// AddItem adds pieces of an item to the order.
func (h *History) AddItem(c *Client, item string, quantity int64) Response {
	return h.send(c, Request{Kind: addItem, Item: item, Quantity: quantity}, "POST",
		fmt.Sprintf("/orders/addItem/%s/%s/%d", h.Order, item, quantity))
}

// RemoveItem removes pieces of an item from the order.
func (h *History) RemoveItem(c *Client, item string, quantity int64) Response {
	return h.send(c, Request{Kind: removeItem, Item: item, Quantity: quantity}, "DELETE",
		fmt.Sprintf("/orders/removeItem/%s/%s/%d", h.Order, item, quantity))
}

// Remove removes the order.
func (h *History) Remove(c *Client) Response {
	return h.send(c, Request{Kind: removeOrder}, "DELETE", "/orders/remove/"+h.Order)
}

// Find reads the order.
func (h *History) Find(c *Client) Response {
	return h.send(c, Request{Kind: findOrder}, "GET", "/orders/find/"+h.Order)
}

// Status reads from the payment service whether the order is paid.
func (h *History) Status(c *Client) Response {
	return h.send(c, Request{Kind: paymentStatus}, "GET", "/payment/status/"+h.User+"/"+h.Order)
}

func (h *History) send(c *Client, t Request, method, path string) Response {
	t.Response = c.Call(method, path)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Requests = append(h.Requests, t)
	return t.Response
}

// findBody is the body of a response to Find.
type findBody struct {
	Status string
	Paid   bool
	Total  int64 `json:"total_cost"`
	Lines  []struct {
		Item     string `json:"item_id"`
		Quantity int64
		Price    int64
	}
}

func (t Request) findBody() (f findBody, err error) {
	err = json.Unmarshal([]byte(t.Body), &f)
	return f, err
}
