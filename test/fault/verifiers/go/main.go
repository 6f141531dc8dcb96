// Verifies a token a line with golang-jwt and the JWKS client keyfunc, and says `ok` or why not.
//
//	verifier <jwks address> <issuer> <audience> <how old a list may be, as a duration>
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

func main() {
	jwks, issuer, audience := os.Args[1], os.Args[2], os.Args[3]
	lifespan, err := time.ParseDuration(os.Args[4])
	check(err)
	storage, err := jwkset.NewStorageFromHTTP(jwks, jwkset.HTTPClientStorageOptions{
		Ctx:             context.Background(),
		HTTPTimeout:     2 * time.Second,
		RefreshInterval: lifespan,
	})
	check(err)
	client, err := jwkset.NewHTTPClient(jwkset.HTTPClientOptions{
		HTTPURLs:          map[string]jwkset.Storage{jwks: storage},
		RefreshUnknownKID: rate.NewLimiter(rate.Every(200*time.Millisecond), 1),
	})
	check(err)
	keys, err := keyfunc.New(keyfunc.Options{Storage: client})
	check(err)
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256"}),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(3*time.Second),
	)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if _, err := parser.Parse(lines.Text(), keys.Keyfunc); err != nil {
			// One line for each token, also where the reasons are several.
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", "; "))
		} else {
			fmt.Println("ok")
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
