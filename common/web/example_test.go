package web_test

import (
	"fmt"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/web"
)

func ExampleJSON() {
	gin.SetMode(gin.TestMode)
	e := gin.New()
	e.GET("/find/:item_id", web.JSON(func(c *gin.Context) (api.Item, error) {
		if id := c.Param("item_id"); id != "7" {
			return api.Item{}, fmt.Errorf("item %s: %w", id, api.ItemNotFound)
		}
		return api.Item{ItemID: "7", Price: 250, Stock: 12}, nil
	}))
	for _, path := range []string{"/find/7", "/find/8"} {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Println(w.Code, w.Header().Get("Content-Type"))
		if w.Code == 200 {
			fmt.Println(w.Body)
		}
	}
	// Output:
	// 200 application/json; charset=utf-8
	// {"item_id":"7","price":250,"stock":12}
	// 404 application/problem+json
}
