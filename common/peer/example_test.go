package peer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"checkout/common/api"
	"checkout/common/peer"
)

// The stock service returns the price of each item in a list.
func ExampleBatcher() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+peer.ShardMapPath, func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(api.ShardMap{Service: "stock", Shards: 1, Modulus: 1})
	})
	mux.HandleFunc("POST /internal/prices", func(w http.ResponseWriter, r *http.Request) {
		var ids []string
		json.NewDecoder(r.Body).Decode(&ids)
		prices := make([]api.Price, len(ids))
		for i := range ids {
			prices[i] = api.Price{Code: api.PriceFound, Price: 250}
		}
		json.NewEncoder(w).Encode(prices)
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	stock := peer.New("stock", []string{strings.TrimPrefix(server.URL, "http://")}, "", nil, nil)
	defer stock.Close()
	for stock.Unavailable() != "" {
		time.Sleep(time.Millisecond)
	}
	oneGroup := func(string) string { return "" }
	unknown := func(p api.Price) bool { return p.Code == api.PriceUnknown }
	prices := peer.NewBatcher(stock, "/internal/prices", oneGroup, unknown)
	fmt.Println(prices.Do(context.Background(), "item-7").Price)
	// Output: 250
}
