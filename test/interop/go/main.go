// Verifies access tokens, one a line, with golang-jwt, knowing only the issuer's address and the audience that they are for.
//
//	echo "$token" | go run . http://localhost:4000 demo-api
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var client = http.Client{Timeout: 5 * time.Second}

func main() {
	log.SetFlags(0)
	issuer, audience := os.Args[1], os.Args[2]
	tokens, err := io.ReadAll(os.Stdin)
	check(err)
	keys, err := keysOf(issuer)
	check(err)
	refused := 0
	for _, token := range strings.Fields(string(tokens)) {
		if claims, err := verify(token, issuer, audience, keys); err != nil {
			fmt.Println("refused:", err)
			refused = 1
		} else {
			check(json.NewEncoder(os.Stdout).Encode(claims))
		}
	}
	os.Exit(refused)
}

// In a service: make this once and call it again every five minutes, and, at most once in a while, for an unknown kid.
func keysOf(issuer string) (map[string]*ecdsa.PublicKey, error) {
	var metadata struct {
		Issuer  string `json:"issuer"`
		JwksURI string `json:"jwks_uri"`
	}
	if err := get(issuer+"/.well-known/openid-configuration", &metadata); err != nil {
		return nil, err
	}
	if metadata.Issuer != issuer {
		return nil, fmt.Errorf("%s calls itself %s", issuer, metadata.Issuer)
	}
	var set struct {
		Keys []struct{ Kty, Crv, Kid, X, Y string }
	}
	if err := get(metadata.JwksURI, &set); err != nil {
		return nil, err
	}
	keys := map[string]*ecdsa.PublicKey{}
	for _, key := range set.Keys {
		x, errX := base64.RawURLEncoding.DecodeString(key.X)
		y, errY := base64.RawURLEncoding.DecodeString(key.Y)
		if key.Kty != "EC" || key.Crv != "P-256" || errX != nil || errY != nil {
			continue
		}
		keys[key.Kid] = &ecdsa.PublicKey{
			Curve: elliptic.P256(),
			X:     new(big.Int).SetBytes(x),
			Y:     new(big.Int).SetBytes(y),
		}
	}
	return keys, nil
}

func verify(token, issuer, audience string, keys map[string]*ecdsa.PublicKey) (jwt.MapClaims, error) {
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256"}),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(30*time.Second),
		jwt.WithStrictDecoding(),
	)
	claims := jwt.MapClaims{}
	_, err := parser.ParseWithClaims(token, claims, func(token *jwt.Token) (any, error) {
		// golang-jwt leaves the type to its caller (RFC 9068, section 4).
		if token.Header["typ"] != "at+jwt" {
			return nil, fmt.Errorf("this is no access token")
		}
		kid, _ := token.Header["kid"].(string)
		if key, known := keys[kid]; known {
			return key, nil
		}
		return nil, fmt.Errorf("no key of this issuer")
	})
	for _, name := range []string{"sub", "jti", "client_id", "sid"} {
		if text, _ := claims[name].(string); err == nil && text == "" {
			err = fmt.Errorf("no %s", name)
		}
	}
	return claims, err
}

func get(url string, into any) error {
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	return json.NewDecoder(io.LimitReader(answer.Body, 1<<16)).Decode(into)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
