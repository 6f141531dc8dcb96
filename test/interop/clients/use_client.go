// Uses the client that openapi-generator generates: prints, as JSON, what each call answered and of which type.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"clients/mintmark"
)

type said map[string]any

// The type's name, without its package.
func kind(value any) string {
	return strings.TrimPrefix(strings.TrimPrefix(fmt.Sprintf("%T", value), "*"), "mintmark.")
}

func problem(err error) said {
	var answer *mintmark.GenericOpenAPIError
	if !errors.As(err, &answer) {
		log.Fatalf("not an answer of the service: %v", err)
	}
	one, ok := answer.Model().(mintmark.Problem)
	if !ok {
		log.Fatalf("not a problem: %s", answer.Body())
	}
	faults := [][]string{}
	for _, fault := range one.Errors {
		faults = append(faults, []string{kind(fault), fault.Pointer, fault.Detail})
	}
	return said{"type": kind(one), "code": one.Code, "status": one.Status, "faults": faults}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func clientOf(issuer, cookie string) *mintmark.APIClient {
	configuration := mintmark.NewConfiguration()
	configuration.Servers = mintmark.ServerConfigurations{{URL: issuer}}
	if cookie != "" {
		configuration.AddDefaultHeader("Cookie", cookie)
	}
	return mintmark.NewAPIClient(configuration)
}

func main() {
	log.SetFlags(0)
	issuer, email, password, key := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	header := map[string]mintmark.APIKey{"mintmarkHeader": {Key: "1"}}
	ctx := context.WithValue(context.Background(), mintmark.ContextAPIKeys, header)
	signIn := func(password string) (*mintmark.SignedIn, string, error) {
		request := mintmark.NewSignInRequest(email, password)
		signedIn, answer, err := clientOf(issuer, "").SessionAPI.SignIn(ctx).SignInRequest(*request).Execute()
		cookie, _, _ := strings.Cut(answer.Header.Get("Set-Cookie"), ";")
		return signedIn, cookie, err
	}

	_, _, refused := signIn("not the password")
	signedIn, cookie, err := signIn(password)
	check(err)
	me := clientOf(issuer, cookie)
	who, _, err := me.SessionAPI.WhoAmI(ctx).Execute()
	check(err)
	wanted := mintmark.NewMintTokenRequest()
	wanted.SetClientId("mintmark")
	token, _, err := me.TokenAPI.MintToken(ctx).MintTokenRequest(*wanted).Execute()
	check(err)
	left, err := me.SessionAPI.SignOut(ctx).Execute()
	check(err)
	_, _, gone := me.SessionAPI.WhoAmI(ctx).Execute()

	byKey := context.WithValue(context.Background(), mintmark.ContextAccessToken, key)
	service := clientOf(issuer, "")
	users, _, err := service.AdminAPI.ListUsers(byKey).Email(email).Execute()
	check(err)
	_, _, malformed := service.AdminAPI.ListUsers(byKey).Limit("0").Execute()
	named := mintmark.NewCreateTenantRequest("Acme")
	tenant, _, err := service.AdminAPI.CreateTenant(byKey).CreateTenantRequest(*named).Execute()
	check(err)

	items := [][]string{}
	for _, one := range users.Items {
		items = append(items, []string{kind(one), one.Id, one.Email})
	}
	check(json.NewEncoder(os.Stdout).Encode(said{
		"refused":  problem(refused),
		"signedIn": said{"type": kind(signedIn), "user": signedIn.User.Id},
		"who":      said{"type": kind(who), "email": who.User.Email, "profile": kind(who.User)},
		"token":    said{"type": kind(token), "sub": token.Sub, "jwt": token.AccessToken},
		"left":     left.StatusCode,
		"gone":     problem(gone),
		"users":    said{"type": kind(users), "items": items, "createdAt": users.Items[0].CreatedAt},
		"malformed": problem(malformed),
		"tenant":   said{"type": kind(tenant), "name": tenant.Name, "role": kind(tenant.Roles[0])},
	}))
}
