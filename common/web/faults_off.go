//go:build !faults

package web

import "github.com/gin-gonic/gin"

// handleFaults does nothing, because the binary was built without the tag "faults".
func handleFaults(*gin.Engine) {}
