// Verifies access tokens, one a line, with Spring Security's resource server: by their signature, or, with the id of a
// service key and the key, by asking the issuer.
//
//     echo "$token" | java -cp '…' VerifyWithSpring http://localhost:4000 demo-api [<key id> <key>]
import java.time.Instant;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.oauth2.server.resource.introspection.SpringOpaqueTokenIntrospector;

public class VerifyWithSpring {
  public static void main(String[] args) throws Exception {
    var tokens = new String(System.in.readAllBytes()).strip().split("\\s+");
    Function<String, Map<String, Object>> verify =
        args.length == 2 ? decoder(args[0], args[1]) : introspector(args[0], args[2], args[3]);
    var refused = false;
    for (var token : tokens) {
      try {
        var claims = new TreeMap<>(verify.apply(token));
        claims.replaceAll((name, value) -> value instanceof Instant at ? at.getEpochSecond() : value);
        System.out.println("sub=" + claims.get("sub") + " auth_time=" + claims.get("auth_time"));
      } catch (RuntimeException refusal) {
        System.out.println("refused: " + refusal.getMessage());
        refused = true;
      }
    }
    System.exit(refused ? 1 : 0);
  }

  static Function<String, Map<String, Object>> decoder(String issuer, String audience) {
    var decoder = NimbusJwtDecoder.withIssuerLocation(issuer).validateType(false).build();
    decoder.setJwtValidator(
        JwtValidators.createAtJwtValidator().issuer(issuer).audience(audience).clientId("mintmark").build());
    return token -> decoder.decode(token).getClaims();
  }

  static Function<String, Map<String, Object>> introspector(String issuer, String id, String key) {
    var introspector =
        SpringOpaqueTokenIntrospector.withIntrospectionUri(issuer + "/v1/introspect")
            .clientId(id)
            .clientSecret(key)
            .build();
    return token -> introspector.introspect(token).getAttributes();
  }
}
