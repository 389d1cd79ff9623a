package web

import (
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
)

// BenchmarkAccess compares requests without checks with requests that pass the checks of the public or internal port.
func BenchmarkAccess(b *testing.B) {
	gin.SetMode(gin.ReleaseMode)
	s := NewServer(false)
	s.Restrict(Access{Hosts: []string{"shop.example"}, Tokens: []string{"0123456789abcdef", "fedcba9876543210"}})
	done := func(c *gin.Context) { c.Status(200) }
	bare, public, internal := gin.New(), gin.New(), gin.New()
	public.Use(secure, s.allowOrigins, s.checkHost, rejectForeignOrigins(s.checkPublicOrigin))
	internal.Use(secure, s.checkHost, rejectForeignOrigins(s.checkPrivateOrigin), s.authenticate)
	for name, e := range map[string]*gin.Engine{"bare": bare, "public": public, "internal": internal} {
		e.POST("/x", done)
		r := httptest.NewRequest("POST", "/x", nil)
		r.Host = "127.0.0.1:5001"
		r.Header.Set("Content-Type", jsonType)
		r.Header.Set("Authorization", Authorization("0123456789abcdef"))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			w := httptest.NewRecorder()
			for b.Loop() {
				e.ServeHTTP(w, r)
			}
		})
	}
}
