#include <skiff/app/app.h>

int main(int argc, char** argv) { return skiff::app::run(argc, argv); }
