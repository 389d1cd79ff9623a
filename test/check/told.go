package check

import (
	"encoding/json"
	"fmt"
)

// Kind is what a client asked of an order.
type Kind int

// What a client may ask of an order, besides to check it out and to cancel it.
const (
	Add Kind = iota
	Take
	Remove
	Find
	Status
	checkout
	cancel
	observe // not asked by anybody: how the order lies in Redis when all is quiet
)

// Told is one request about an order, and what came back.
type Told struct {
	Kind     Kind
	Item     string
	Quantity int64
	Answer
}

func (t Told) String() string {
	name := []string{"addItem", "removeItem", "remove", "find", "status", "checkout", "cancel", "at the end"}[t.Kind]
	if t.Item != "" {
		name += fmt.Sprintf(" %d of %s", t.Quantity, t.Item)
	}
	return name
}

// AddItem adds pieces of an item.
func (h *History) AddItem(c *Client, item string, quantity int64) Answer {
	return h.ask(c, Told{Kind: Add, Item: item, Quantity: quantity}, "POST", fmt.Sprintf("/orders/addItem/%s/%s/%d", h.Order, item, quantity))
}

// RemoveItem takes pieces of an item out again.
func (h *History) RemoveItem(c *Client, item string, quantity int64) Answer {
	return h.ask(c, Told{Kind: Take, Item: item, Quantity: quantity}, "DELETE", fmt.Sprintf("/orders/removeItem/%s/%s/%d", h.Order, item, quantity))
}

// Remove removes the order.
func (h *History) Remove(c *Client) Answer {
	return h.ask(c, Told{Kind: Remove}, "DELETE", "/orders/remove/"+h.Order)
}

// Find looks at the order.
func (h *History) Find(c *Client) Answer {
	return h.ask(c, Told{Kind: Find}, "GET", "/orders/find/"+h.Order)
}

// Status asks whether it is paid.
func (h *History) Status(c *Client) Answer {
	return h.ask(c, Told{Kind: Status}, "GET", "/payment/status/"+h.User+"/"+h.Order)
}

func (h *History) ask(c *Client, t Told, method, path string) Answer {
	t.Answer = c.Call(method, path)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Others = append(h.Others, t)
	return t.Answer
}

// found is what the answer to Find says.
type found struct {
	Status string
	Paid   bool
	Total  int64 `json:"total_cost"`
	Lines  []struct {
		Item     string `json:"item_id"`
		Quantity int64
		Price    int64
	}
}

func (t Told) found() (f found, err error) {
	err = json.Unmarshal([]byte(t.Body), &f)
	return f, err
}
