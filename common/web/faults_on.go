//go:build faults

package web

import (
	"github.com/gin-gonic/gin"

	"checkout/common/clock"
	"checkout/common/failpoint"
)

// faults lets fault runs arm fail points and set the clock, by the internal door.
func faults(e *gin.Engine) {
	e.Use(cutLost)
	e.Any("/internal/failpoints", gin.WrapF(failpoint.Control))
	e.Any("/internal/clock", gin.WrapF(clock.Control))
}

// cutLost cuts the connection of a request whose reply is lost.
func cutLost(c *gin.Context) {
	defer func() {
		switch what := recover().(type) {
		case nil:
		case failpoint.LostReply:
			c.Abort()
			if conn, _, err := c.Writer.Hijack(); err == nil {
				conn.Close()
			}
		default:
			panic(what)
		}
	}()
	c.Next()
}
