package main

import (
	"testing"

	"checkout/common/service/servicetest"
	"checkout/test/contract"
)

func TestRoutesAreDocumented(t *testing.T) {
	contract.CheckRoutes(t, definition.Name, servicetest.New(t, definition, 1).Public.Routes())
}
