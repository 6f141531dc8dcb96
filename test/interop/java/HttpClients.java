/** Java's own HTTP client, as its documentation shows it: no version is chosen, so it offers HTTP/2 over plain HTTP. */
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

class HttpClients {
    public static void main(String[] arguments) throws Exception {
        var issuer = arguments[0];
        var client = HttpClient.newHttpClient();
        var keys = client.send(HttpRequest.newBuilder(URI.create(issuer + "/.well-known/jwks.json")).build(), BodyHandlers.ofString());
        System.out.println(keys.statusCode() + " " + keys.version() + " " + keys.body().contains("\"keys\""));
        var asked = HttpRequest.newBuilder(URI.create(issuer + "/v1/sign-up"))
            .header("X-Mintmark", "1").header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString("{\"email\":\"grace@example.com\"}")).build();
        // Twice: a client that keeps its connection sends the second request on the first one's.
        for (int times = 0; times < 2; times++) {
            var answer = client.send(asked, BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.version() + " " + answer.body());
        }
    }
}
