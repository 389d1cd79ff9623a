package main

import (
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/service"
	"checkout/common/web"
	"checkout/test/contract"
)

func TestRoutesAreDocumented(t *testing.T) {
	gin.SetMode(gin.TestMode)
	s := &service.Service{Server: web.NewServer(false)}
	s.AddRoutes()
	(&handlers{Service: s}).routes(s.Public, s.Internal)
	contract.CheckRoutes(t, definition.Name, s.Public.Routes())
}
