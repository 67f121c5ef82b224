/* Answers every HTTP request on port 8080 with the name of its pod. `check` puts it into an image. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void end(int signal)
{
    (void)signal;
    _exit(0);
}

int main(void)
{
    char name[256] = "", request[4096], answer[1024];
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(8080)};
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

    /* As process 1 of its container it gets only the signals that it asks for. */
    signal(SIGTERM, end);
    gethostname(name, sizeof name - 1);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&any, sizeof any) != 0 || listen(listener, 64) != 0) {
        perror("port 8080");
        return 1;
    }
    int length = snprintf(answer, sizeof answer,
                          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                          "Connection: close\r\n\r\n%s\n",
                          strlen(name) + 1, name);
    for (;;) {
        struct timeval patience = {.tv_sec = 2};
        int client = accept(listener, NULL, NULL);

        if (client < 0)
            continue;
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (recv(client, request, sizeof request, 0) > 0)
            send(client, answer, length, MSG_NOSIGNAL);
        close(client);
    }
}
